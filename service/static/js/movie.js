// The Movie page. Choosing a similar movie walks on to it, without leaving the page.

import { get } from "./api.js";
import { calmly, element, find, movieLink, number, titleOf } from "./dom.js";
import { joinNeighbours, neighbourhood } from "./neighbours.js";
import { local } from "./paths.js";
import { bars, facts, roomIn } from "./plots.js";
import { empty, show } from "./states.js";

const NEIGHBOURS = 12;
const heading = find("movie");
const walked = [];
let shown = null; // {movie, neighbours} in the picture

async function open(movieId) {
  const base = `/v1/movies/${movieId}`;
  const wanted = get(base);
  show(find("facts"), async () => describe(await wanted));
  show(find("similar"), async () => similar(await wanted, (await get(`${base}/similar`, { limit: NEIGHBOURS })).movies));
  const counted = get(`${base}/ratings`);
  show(find("stars"), async () => stars(await counted));
  show(find("years"), async () => years(await counted));
}

function describe(movie) {
  heading.textContent = movie.title ?? `Movie ${movie.movieId}`;
  document.title = `${titleOf(movie)} – Movie recommender`;
  return facts([
    ["Year", movie.year ?? "unknown"],
    ["Genres", movie.genres.join(", ") || "unknown"],
    ["Ratings", number(movie.ratingCount)],
    ["Mean", movie.ratingMean === null ? "–" : `${number(movie.ratingMean)} ★`],
    ["Recommended", movie.available ? "yes" : "no, not available"],
  ]);
}

function similar(movie, neighbours) {
  if (neighbours.length === 0) {
    shown = null;
    return empty("No similar movies: too few people have rated or watched this one.");
  }
  shown = { movie, neighbours };
  return draw();
}

function draw() {
  const svg = neighbourhood(shown.movie, shown.neighbours, Math.floor(find("similar").clientWidth), walk);
  joinNeighbours(svg, shown.neighbours).catch(() => {}); // they are extra
  return svg;
}

function walk(movie) {
  walked.push(shown.movie);
  history.pushState({}, "", local(`/movies/${movie.movieId}`));
  drawTrail();
  open(movie.movieId);
  heading.focus({ preventScroll: true });
}

function drawTrail() {
  const links = walked.slice(-5).flatMap((movie) => [movieLink(movie), " → "]);
  find("trail").hidden = links.length === 0;
  find("trail").replaceChildren(...links);
}

function stars(answer) {
  if (answer.counted === 0) return empty("Nobody has rated this movie yet.");
  const counts = new Map(answer.stars.map(({ rating, count }) => [rating, count]));
  const halves = answer.stars.some(({ rating }) => rating % 1 !== 0);
  const steps = halves ? [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5] : [1, 2, 3, 4, 5];
  const pairs = steps.map((rating) => [`${rating}`, counts.get(rating) ?? 0]);
  const told = pairs.map(([rating, count]) => `${rating} stars: ${count}`).join(", ");
  return [bars(`Ratings by stars. ${told}`, pairs, { height: 170, width: roomIn("stars") }), ...partly(answer)];
}

function years(answer) {
  if (answer.years.length === 0) return empty("There are no dates of ratings.");
  const counts = new Map(answer.years.map(({ year, count }) => [year, count]));
  const [first, last] = [answer.years[0].year, answer.years.at(-1).year];
  const pairs = [];
  for (let year = first; year <= last; year += 1) pairs.push([year, counts.get(year) ?? 0]);
  return bars(`Ratings by year, from ${first} to ${last}`, pairs, { height: 170, width: roomIn("years") });
}

function partly(answer) {
  if (answer.counted >= answer.ratingCount) return [];
  return [element("p", { class: "hint" }, `Counted from ${number(answer.counted)} of ${number(answer.ratingCount)} ratings.`)];
}

window.addEventListener("popstate", () => {
  walked.pop();
  drawTrail();
  open(Number(location.pathname.split("/").at(-1)));
});
window.addEventListener("resize", calmly(() => shown && find("similar").replaceChildren(draw())));
open(Number(heading.dataset.movie));
