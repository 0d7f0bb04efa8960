// Making elements. Text is always text: nothing from an answer is ever read as HTML.

import { local } from "./paths.js";

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; `on…` attributes are listeners, null ones are left out. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function drawn(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const find = (id) => document.getElementById(id);

/** A movie's title, with its year if it is known. */
export function titleOf(movie) {
  const title = movie.title ?? `Movie ${movie.movieId}`;
  return movie.year ? `${title} (${movie.year})` : title;
}

export function movieLink(movie) {
  return element("a", { href: local(`/movies/${movie.movieId}`) }, titleOf(movie));
}

export function userLink(userId) {
  return element("a", { href: local(`/users/${userId}`) }, `User ${userId}`);
}

/** Why a movie is on a list: that it is current, where that adds most, and the movies of the history that lead to it. */
export function reasons({ because, current }, most = 3) {
  const links = because.slice(0, most).flatMap((reason, place) => [place ? ", " : "because of ", movieLink(reason)]);
  const now = current >= (because[0]?.contribution ?? 0) ? ["popular right now", links.length ? "; " : ""] : [];
  return element("span", { class: "because" }, ...now, ...links);
}

const dates = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const times = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const numbers = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const exactly = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 });

export const number = (value) => numbers.format(value);
export const percent = (share) => (share === null ? "–" : `${numbers.format(100 * share)} %`);
export const exact = (value) => exactly.format(value).replace("-", "−");

/** What something adds to a score, which may be of any size. */
export function weight(value) {
  const size = Math.abs(value);
  return (value === 0 || (size >= 0.0005 && size < 1000) ? value.toFixed(3) : value.toPrecision(3)).replaceAll("-", "−");
}

/** A moment as <time>: the day, or the time of day. */
export function moment(at, form = "day") {
  const value = new Date(at);
  return element("time", { datetime: at }, (form === "day" ? dates : times).format(value));
}

/** Run something once calls have stopped coming for a while. */
export function calmly(work, milliseconds = 150) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}
