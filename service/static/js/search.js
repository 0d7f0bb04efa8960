// The Search page: results as one types; the address keeps the query.

import { get } from "./api.js";
import { calmly, element, find, movieLink } from "./dom.js";
import { local } from "./paths.js";
import { empty, show } from "./states.js";

const input = find("query");
let asked = null;

function search() {
  const text = input.value.trim();
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  history.replaceState({}, "", local(text ? `/search?${new URLSearchParams({ q: text })}` : "/search"));
  return show(find("results"), async () => {
    const answer = text ? await get("/v1/movies", { query: text, limit: 20 }, signal) : await get("/v1/movies/popular", { limit: 20 }, signal);
    find("results-title").textContent = text ? `Titles like “${text}”` : "The most watched";
    find("count").textContent = `${answer.movies.length} movies`;
    if (answer.movies.length === 0) return empty("No title is like that. Try fewer letters, or another word of it.");
    return element("ol", { class: "results" }, ...answer.movies.map(result));
  });
}

function result(movie) {
  const away = movie.available ? null : element("span", { class: "hint" }, " not available");
  return element("li", {}, movieLink(movie), away);
}

input.value = new URLSearchParams(location.search).get("q") ?? "";
input.addEventListener("input", calmly(search, 120));
find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
search();
