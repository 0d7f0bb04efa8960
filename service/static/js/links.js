// Pictures of weights: movies at the left, lines as thick as their weights, one movie at the right.

import { drawn, titleOf, weight } from "./dom.js";
import { local } from "./paths.js";

const ROW = 30;
const THICKEST = 9;
const NARROW = 480;

/** As much of a text as fits into so many pixels. */
export function shorten(text, pixels, letter = 6.9) {
  const most = Math.max(4, Math.floor(pixels / letter));
  return text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text;
}

/**
 * `sources` lead to `target`, each with its `weight`. Those that are movies are links; negative weights are drawn dashed.
 */
export function links(what, sources, target, width) {
  const height = Math.max(2, sources.length) * ROW + 8;
  const narrow = width < NARROW; // then the target's title stands above the picture only
  const left = Math.round(width * (narrow ? 0.74 : 0.46));
  const right = narrow ? width - 12 : Math.round(width * 0.7);
  const middle = height / 2;
  const most = Math.max(Number.MIN_VALUE, ...sources.map((source) => Math.abs(source.weight)));
  const parts = sources.flatMap((source, place) => {
    const y = 4 + (place + 0.5) * ROW;
    const bend = (left + right) / 2;
    const thick = Math.max(1, (Math.abs(source.weight) / most) * THICKEST);
    const label = `${titleOf(source)}: ${weight(source.weight)}`;
    const isMovie = source.movieId !== undefined;
    const kind = isMovie ? { href: local(`/movies/${source.movieId}`), class: "source", "data-movie": source.movieId } : { role: "img" };
    return [
      drawn("path", { class: source.weight < 0 ? "link against" : isMovie ? "link" : "link now", d: `M${left} ${y}C${bend} ${y} ${bend} ${middle} ${right} ${middle}`, "stroke-width": thick }),
      drawn(
        isMovie ? "a" : "g",
        { ...kind, "data-weight": source.weight, "aria-label": label },
        drawn("title", {}, label),
        drawn("rect", { class: "catch", x: 0, y: y - ROW / 2 + 2, width: left, height: ROW - 4, rx: 3 }),
        drawn("text", { x: 4, y: y + 4 }, shorten(titleOf(source), left - 64)),
        drawn("text", { class: "weight", x: left - 8, y: y + 4 }, weight(source.weight)),
      ),
    ];
  });
  parts.push(drawn("circle", { class: "node centre", cx: right, cy: middle, r: 8 }));
  if (!narrow) parts.push(...caption(target, right + 14, middle, width - right - 14));
  return drawn("svg", { class: "links", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": what }, ...parts);
}

/** A title in up to four lines beside the node. */
function caption(movie, x, y, room) {
  const lines = wrap(titleOf(movie), Math.max(8, Math.floor(room / 7.3))).slice(0, 4);
  return lines.map((line, place) => drawn("text", { class: "target", x, y: y + 5 + (place - (lines.length - 1) / 2) * 17 }, line));
}

export function wrap(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line && line.length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}
