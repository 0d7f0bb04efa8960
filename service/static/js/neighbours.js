// A movie among its similar ones: a circle of links to walk along, or a fan where there is little room.

import { get } from "./api.js";
import { drawn, titleOf, weight } from "./dom.js";
import { links, shorten } from "./links.js";
import { local } from "./paths.js";

const NARROW = 640;
const HEIGHT = 400;

/** The picture for a place of this width; `walk` is called with the movie that was chosen. */
export function neighbourhood(movie, neighbours, width, walk) {
  const what = `${neighbours.length} movies similar to ${titleOf(movie)}`;
  const sources = neighbours.map((neighbour) => ({ ...neighbour, weight: neighbour.score }));
  const svg = width < NARROW ? links(what, sources, movie, width) : circle(what, movie, sources, width);
  svg.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-movie]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    walk(neighbours.find((neighbour) => neighbour.movieId === Number(link.dataset.movie)));
  });
  return svg;
}

function circle(what, movie, sources, width) {
  const middle = [width / 2, HEIGHT / 2];
  const most = Math.max(...sources.map((source) => source.weight));
  const places = sources.map((_, place) => placeOf(place, sources.length, middle, Math.min(250, width * 0.2)));
  const lines = places.map(([x, y], place) =>
    drawn("line", { class: "link", x1: middle[0], y1: middle[1], x2: x, y2: y, "stroke-width": Math.max(1, (sources[place].weight / most) * 9) }),
  );
  const nodes = sources.map((source, place) => node(source, places[place], middle, width, most));
  const centre = drawn("circle", { class: "node centre", cx: middle[0], cy: middle[1], r: 13 });
  const between = drawn("g", { class: "between" });
  return drawn(
    "svg",
    { class: "links", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "group", "aria-label": what },
    between,
    ...lines,
    centre,
    drawn("text", { class: "target middle", x: middle[0], y: middle[1] + 32 }, shorten(titleOf(movie), 260, 7.3)),
    ...nodes,
  );
}

function placeOf(place, count, [x, y], wide) {
  const angle = (2 * Math.PI * (place + 0.5)) / count - Math.PI / 2;
  return [x + wide * Math.cos(angle), y + (HEIGHT / 2 - 34) * Math.sin(angle)];
}

function node(source, [x, y], [centre], width, most) {
  const onRight = x >= centre;
  const label = `${titleOf(source)}: ${weight(source.weight)}`;
  const room = (onRight ? width - x : x) - 20;
  return drawn(
    "a",
    { href: local(`/movies/${source.movieId}`), class: "source", "data-movie": source.movieId, "data-weight": source.weight, "aria-label": label },
    drawn("title", {}, label),
    drawn("circle", { class: "node", cx: x, cy: y, r: 5 + (source.weight / most) * 4 }),
    drawn("text", { class: onRight ? "" : "end", x: onRight ? x + 15 : x - 15, y: y + 4 }, shorten(titleOf(source), room)),
  );
}

/** Add thin lines between neighbours that are similar to each other, as their own lists come in. */
export async function joinNeighbours(svg, neighbours) {
  const between = svg.querySelector(".between");
  if (!between) return;
  const places = new Map();
  for (const link of svg.querySelectorAll("a[data-movie] .node")) {
    places.set(Number(link.parentNode.dataset.movie), [link.getAttribute("cx"), link.getAttribute("cy")]);
  }
  for (const { movieId } of neighbours) {
    const { movies } = await get(`/v1/movies/${movieId}/similar`, { limit: 12 });
    const [x1, y1] = places.get(movieId);
    for (const other of movies.filter((one) => places.has(one.movieId))) {
      const [x2, y2] = places.get(other.movieId);
      between.append(drawn("line", { class: "side", x1, y1, x2, y2 }));
    }
  }
}
