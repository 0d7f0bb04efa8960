// Why a movie is recommended, drawn from the explanation that the API gives.

import { get } from "./api.js";
import { element, find, titleOf, weight } from "./dom.js";
import { links } from "./links.js";
import { empty, show } from "./states.js";

let drawnLast = null;

/** Show why a user is offered a movie. */
export function explain(userId, movie) {
  const path = `/v1/users/${userId}/recommendations/${movie.movieId}/explanation`;
  if (movie.because.length === 0) {
    drawnLast = null;
    return show(find("explanation"), () => empty(`${titleOf(movie)} does not come from this user's history: many others watch or like it.`));
  }
  return show(find("explanation"), async () => {
    const answer = await get(path);
    drawnLast = { answer: { ...answer, year: movie.year }, path };
    return picture();
  });
}

function picture() {
  const { answer, path } = drawnLast;
  const sources = answer.because.map((reason) => ({ ...reason, weight: reason.contribution }));
  const width = Math.max(280, Math.floor(find("explanation").clientWidth));
  const what = `${sources.length} movies of the history lead to ${titleOf(answer)}`;
  return [
    element("p", {}, element("b", {}, titleOf(answer)), ` scores ${weight(answer.score)}: the sum of what each movie of the history adds.`),
    links(what, sources, answer, width),
    element("p", { class: "hint" }, "The figures: ", element("a", { href: path }, `GET ${path}`)),
    element("details", {}, element("summary", {}, "Draw it in Neo4j Browser"), element("pre", { tabindex: 0, "aria-label": "Cypher of this explanation" }, answer.cypher)),
  ];
}

export function redraw() {
  if (drawnLast) find("explanation").replaceChildren(...picture());
}
