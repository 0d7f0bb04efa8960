// Why a movie is recommended, drawn from the explanation that the API gives.

import { get } from "./api.js";
import { element, find, titleOf, weight } from "./dom.js";
import { links } from "./links.js";
import { local } from "./paths.js";
import { empty, show } from "./states.js";

let drawnLast = null;

/** Show why a user is offered a movie. */
export function explain(userId, movie) {
  const path = `/v1/users/${userId}/recommendations/${movie.movieId}/explanation`;
  drawnLast = null;
  return show(find("explanation"), async () => {
    try {
      drawnLast = { answer: { ...(await get(path)), year: movie.year }, path };
    } catch (error) {
      if (error.status === 404) return empty(`${titleOf(movie)} stands behind all that this user’s history or the present leads to.`);
      throw error;
    }
    return picture();
  });
}

function picture() {
  const { answer, path } = drawnLast;
  const history = answer.because.map((reason) => ({ ...reason, weight: reason.contribution }));
  const parts = [{ title: "Popular right now", weight: answer.current }, ...history].sort((one, other) => other.weight - one.weight);
  const width = Math.max(280, Math.floor(find("explanation").clientWidth));
  const what = `What adds up to the score of ${titleOf(answer)}: that it is popular right now, and ${history.length} movies of the history`;
  const told = history.length ? "the sum of what being popular right now and each movie of the history add" : "only for being popular right now: nothing in this user’s history leads to it";
  return [
    element("p", {}, element("b", {}, titleOf(answer)), ` scores ${weight(answer.score)}, ${told}.`),
    links(what, parts, answer, width),
    element("p", { class: "hint" }, "The figures: ", element("a", { href: local(path) }, `GET ${path}`)),
    element("details", {}, element("summary", {}, "Draw it in Neo4j Browser"), element("pre", { tabindex: 0, "aria-label": "Cypher of this explanation" }, answer.cypher)),
  ];
}

export function redraw() {
  if (drawnLast) find("explanation").replaceChildren(...picture());
}
