// Small plots. Sizes are attributes and colours are classes, since the pages' policy allows no inline style.

import { drawn, element, number } from "./dom.js";

const LABEL = 16;

/**
 * Bars from (label, value) pairs; `second` are values drawn as a thin mark over each bar. Labels that would touch are left out.
 */
export function bars(what, pairs, { height = 120, second = null, width = 480, format = number, ends = null } = {}) {
  const most = Math.max(1e-9, ...pairs.map(([, value]) => value), ...(second ?? []));
  const step = width / Math.max(1, pairs.length);
  const every = Math.ceil(pairs.length / (width / 34));
  const room = height - 2 * LABEL;
  const parts = pairs.flatMap(([label, value], place) => {
    const tall = (value / most) * room;
    const above = second ? (second[place] / most) * room : 0;
    const left = place * step;
    const middle = left + step / 2;
    const title = drawn("title", {}, `${label}: ${format(value)}`);
    const shapes = [
      drawn("rect", { class: "bar", x: left + step * 0.12, y: LABEL + room - tall, width: step * 0.76, height: tall, rx: 1.5 }, title),
    ];
    if (second) {
      const y = LABEL + room - above;
      shapes.push(drawn("line", { class: "mark", x1: left + step * 0.05, x2: left + step * 0.95, y1: y, y2: y }));
    }
    if (!ends && place % every === 0) shapes.push(drawn("text", { class: "tick", x: middle, y: height - 3 }, String(label)));
    if (value > 0 && step > 26) shapes.push(drawn("text", { class: "value", x: middle, y: LABEL + room - Math.max(tall, above) - 4 }, format(value)));
    return shapes;
  });
  if (ends) parts.push(...endLabels(ends, width, height));
  parts.push(drawn("line", { class: "axis", x1: 0, x2: width, y1: height - LABEL + 0.5, y2: height - LABEL + 0.5 }));
  return picture(what, width, height, parts);
}

/** Points over the last hour as dots joined by a line: (minutes ago, value) pairs, oldest first. */
export function trail(what, points, { height = 84, width = 240, ends = ["", ""] } = {}) {
  const top = Math.max(1e-9, ...points.map(([, value]) => value));
  const place = ([ago, value]) => [width - 4 - (ago / 60) * (width - 8), height - LABEL - 3 - (value / top) * (height - LABEL - 12)];
  const placed = points.map(place);
  const parts = [drawn("line", { class: "axis", x1: 0, x2: width, y1: height - LABEL + 0.5, y2: height - LABEL + 0.5 }), ...endLabels(ends, width, height)];
  if (placed.length > 1) parts.push(drawn("polyline", { class: "line", points: placed.map((at) => at.join(",")).join(" ") }));
  parts.push(...placed.map(([x, y]) => drawn("circle", { class: "dot", cx: x, cy: y, r: 2 })));
  return picture(what, width, height, parts);
}

/** A curve of (x, value) points, x from 0 to 1, which begins at the value 0; `marked` is the x that a line marks. */
export function curve(what, points, marked, { height = 170, width = 480, ends = ["0", "1"], format = number } = {}) {
  const top = Math.max(1e-9, ...points.map(([, value]) => value));
  const across = (x) => 6 + x * (width - 12);
  const placed = points.map(([x, value]) => [across(x), height - LABEL - (value / top) * (height - 2 * LABEL)]);
  const at = across(marked);
  const parts = [
    drawn("line", { class: "axis", x1: 0, x2: width, y1: height - LABEL + 0.5, y2: height - LABEL + 0.5 }),
    ...endLabels(ends, width, height),
    drawn("line", { class: "mark", x1: at, x2: at, y1: LABEL - 2, y2: height - LABEL }),
    drawn("text", { class: `tick shipped ${marked < 0.2 ? "start" : marked > 0.8 ? "end" : ""}`, x: at, y: LABEL - 5 }, `in use: ${number(marked)}`),
    drawn("polyline", { class: "line", points: placed.map((point) => point.join(",")).join(" ") }),
    ...placed.map(([x, y], place) => drawn("circle", { class: "dot", cx: x, cy: y, r: 2.5 }, drawn("title", {}, `${number(points[place][0])}: ${format(points[place][1])}`))),
  ];
  return picture(what, width, height, parts);
}

/** How wide a plot in a place may be, so that its letters keep their size. */
export function roomIn(id) {
  return Math.min(576, document.getElementById(id).clientWidth || 480);
}

/** What the left and the right end stand for. */
function endLabels([left, right], width, height) {
  return [
    drawn("text", { class: "tick start", x: 0, y: height - 3 }, left),
    drawn("text", { class: "tick end", x: width, y: height - 3 }, right),
  ];
}

function picture(what, width, height, parts) {
  return drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": what }, ...parts);
}

/** A table with a head, which scrolls where it does not fit. */
export function table(caption, names, rows) {
  const line = (cell, texts) => element("tr", {}, ...texts.map((text) => element(cell, cell === "th" ? { scope: "col" } : {}, text)));
  const head = element("thead", {}, line("th", names));
  const body = element("tbody", {}, ...rows.map((row) => line("td", row)));
  const whole = element("table", {}, element("caption", { class: "hidden" }, caption), head, body);
  return element("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": caption }, whole);
}

/** A table of (name, value) pairs. */
export function facts(pairs) {
  return element("dl", { class: "facts" }, ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}
