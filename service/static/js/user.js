// The User page: list, controls, history and explanation.

import { get, tell } from "./api.js";
import { calmly, element, find, moment, movieLink, number, reasons, titleOf, weight } from "./dom.js";
import { explain, redraw } from "./explanation.js";
import { local } from "./paths.js";
import { empty, show } from "./states.js";

const userId = Number(find("user").dataset.user);
const base = `/v1/users/${userId}`;
const filters = find("filters");
const SETTLED = 120; // milliseconds; then no process of the service answers from before an event
const excluded = new Map();
const NOTED = 6000; // milliseconds that a notice stays
let noted;
let chosen = null; // the movie whose explanation is shown

function list() {
  const query = { stars: true, exclude: [...excluded.keys()].join(","), ...Object.fromEntries(new FormData(filters)) };
  if (!filters.checkValidity()) return undefined;
  return show(find("recommendations"), async () => {
    const answer = await get(`${base}/recommendations`, query);
    const movies = answer.recommendations;
    if (movies.length === 0) return empty("No movie is left. Ask for fewer things at once.");
    chosen = movies.find((movie) => movie.movieId === chosen?.movieId) ?? movies[0];
    explain(userId, chosen);
    const basis = { history: "By the history and what is current", trending: "By what is trending", popular: "By what is popular" };
    const told = element("p", { class: "hint" }, `${basis[answer.basis]}, model ${answer.modelVersion ?? "–"}, as of `, moment(answer.generatedAt, "time"));
    return [told, element("ol", { class: "movies" }, ...movies.map(item))];
  });
}

function item(movie) {
  const why = element("button", { type: "button", class: "why", "aria-pressed": String(movie === chosen), onclick: () => choose(movie, why) }, "Why");
  return element(
    "li",
    { "data-movie": movie.movieId },
    element("div", { class: "line" }, element("span", { class: "title" }, movieLink(movie)), predicted(movie), element("span", { class: "score" }, weight(movie.score))),
    reasons(movie),
    element("div", { class: "actions" }, why, ...actions(movie), plain("Exclude", movie, () => exclude(movie))),
  );
}

/** The stars that the user would give. */
function predicted(movie) {
  if (movie.predictedRating === null) return null;
  return element("span", { class: "stars", title: "Predicted stars of this user" }, `${movie.predictedRating.toFixed(1)} ★`);
}

function choose(movie, button) {
  chosen = movie;
  for (const other of document.querySelectorAll(".why")) other.setAttribute("aria-pressed", String(other === button));
  explain(userId, movie);
  find("why-title").scrollIntoView({ block: "nearest" });
}

/** What can be told of a movie. */
function actions(movie) {
  const stars = element(
    "select",
    { "aria-label": `Rate ${titleOf(movie)}`, onchange: () => stars.value && act(movie, { type: "rated", rating: Number(stars.value) }, `rated ${stars.value} stars`) },
    element("option", { value: "" }, "Rate"),
    ...[5, 4, 3, 2, 1].map((count) => element("option", { value: count }, `${"★".repeat(count)} ${count}`)),
  );
  return [
    plain("Finish", movie, () => act(movie, { type: "finished" }, "finished")),
    stars,
    plain("Not interested", movie, () => act(movie, { type: "liked", value: -1 }, "will not be recommended again")),
  ];
}

function plain(text, movie, onclick) {
  return element("button", { type: "button", "aria-label": `${text}: ${titleOf(movie)}`, onclick }, text);
}

async function act(movie, event, done) {
  try {
    const result = await tell({ userId, movieId: movie.movieId, ...event });
    note("done", `${titleOf(movie)}: ${result.applied ? done : "received, and applied as soon as Neo4j is back"}.`);
  } catch (error) {
    note("failed", error.message);
  }
  await new Promise((settled) => setTimeout(settled, SETTLED));
  await Promise.all([list(), history()]);
}

function note(state, text) {
  const notice = find("notice");
  notice.dataset.state = state;
  notice.textContent = text;
  clearTimeout(noted);
  noted = setTimeout(() => notice.replaceChildren(), NOTED);
}

function exclude(movie) {
  excluded.set(movie.movieId, movie);
  drawExcluded();
  list();
}

function drawExcluded() {
  const chips = [...excluded.values()].map((movie) =>
    element("button", { type: "button", "aria-label": `Allow again: ${titleOf(movie)}`, onclick: () => allow(movie) }, `${titleOf(movie)} ×`),
  );
  find("excluded").hidden = chips.length === 0;
  find("excluded").replaceChildren("Excluded: ", ...chips);
}

function allow(movie) {
  excluded.delete(movie.movieId);
  drawExcluded();
  list();
}

function history() {
  return show(find("history"), async () => {
    const { history: entries } = await get(`${base}/history`, { limit: 20 });
    if (entries.length === 0) return empty("This user has watched nothing yet. Let one finish a movie on this page.");
    return element("ol", { class: "history" }, ...entries.map(past));
  });
}

function past(entry) {
  const what = entry.type === "rated" ? `${number(entry.rating)} ★` : { started: "watching", finished: "finished", abandoned: "gave up" }[entry.type];
  return element("li", {}, moment(entry.at), element("span", {}, movieLink(entry)), element("span", { class: "what" }, what));
}

function search(text) {
  if (text.trim() === "") return find("found").replaceChildren();
  return show(find("found"), async () => {
    const { movies } = await get("/v1/movies", { query: text, limit: 5 });
    if (movies.length === 0) return empty("No title is like that.");
    return element("ul", { class: "movies" }, ...movies.map((movie) => element("li", {}, movieLink(movie), element("div", { class: "actions" }, ...actions(movie)))));
  });
}

async function fillGenres() {
  const { genres } = await get("/v1/movies/genres");
  filters.elements.genre.append(...genres.map(({ genre }) => element("option", {}, genre)));
}

filters.addEventListener("input", calmly(list));
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => {
  excluded.clear();
  drawExcluded();
  setTimeout(list);
});
find("find").addEventListener("input", calmly((event) => search(event.target.value)));
find("other-user").addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(local(`/users/${Number(find("user-id").value)}`));
});
window.addEventListener("resize", calmly(redraw));
list();
history();
fillGenres().catch(() => {});
