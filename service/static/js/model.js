// The Model page.

import { get } from "./api.js";
import { element, find, moment, number, percent } from "./dom.js";
import { bars, facts, roomIn } from "./plots.js";
import { empty, show } from "./states.js";

function current({ catalogue, current: model }) {
  if (!model) return empty("No model yet: ", element("code", {}, "python -m loader bulk PATH"), " loads ratings and fits one.");
  const { ratings, live } = model.snapshot;
  return [
    facts([
      ["Version", model.version],
      ["Fitted", element("span", {}, moment(model.fittedAt), " ", moment(model.fittedAt, "time"))],
      ["Catalogue", model.snapshot.catalogue ?? catalogue ?? "unknown"],
      ["Ratings", ratings === undefined ? "unknown" : number(ratings)],
      ["Live likes", number(live ?? 0)],
      ["Movies", number(model.movies)],
      ["Weights", number(model.edges)],
    ]),
    element("details", {}, element("summary", {}, "Parameters of the fit"), parameters(model.parameters)),
  ];
}

function parameters(values) {
  const rows = Object.entries(values).map(([name, value]) => row("td", name.replaceAll("_", " "), typeof value === "number" ? number(value) : String(value)));
  return table("Parameters of the fit", ["Parameter", "Value"], rows);
}

function accuracy({ current: model, versions }) {
  const judged = versions.filter((version) => Object.keys(version.metrics).length > 0);
  const more = element("p", { class: "hint" }, "Other measures, and baselines, are not stored: ", element("code", {}, "python -m engine evaluate"), " takes them.");
  if (judged.length === 0) return [empty("Nothing was held out of this fit, so its accuracy was not measured."), more];
  const rows = judged.map((version) => {
    const { halfWidth, judges, ...measures } = version.metrics;
    const [name, value] = Object.entries(measures)[0];
    const state = version.version === model?.version ? "in use" : version.withdrawn ? "withdrawn" : "kept";
    return row("td", version.version, state, name.replace("ndcg", "NDCG"), value.toFixed(4), `± ${halfWidth.toFixed(4)}`, number(judges));
  });
  return [table("Accuracy by version", ["Version", "State", "Measure", "Value", "95 % within", "Users judged"], rows), more];
}

function table(caption, names, rows) {
  const head = element("thead", {}, row("th", ...names));
  const body = element("table", {}, element("caption", { class: "hidden" }, caption), head, element("tbody", {}, ...rows));
  return element("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": caption }, body);
}

function row(cell, ...texts) {
  return element("tr", {}, ...texts.map((text) => element(cell, cell === "th" ? { scope: "col" } : {}, text)));
}

function popularity(answer) {
  if (answer.recommendations === 0) return empty("Nothing was recommended in the last seven days.");
  const ratings = answer.groups.reduce((sum, group) => sum + group.ratings, 0);
  const pairs = answer.groups.map((group) => [`${group.group}`, group.recommendations / answer.recommendations]);
  const rated = answer.groups.map((group) => (ratings ? group.ratings / ratings : 0));
  const told = pairs.map(([group, share]) => `${group}: ${percent(share)}`).join(", ");
  const format = (share) => (share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`);
  return [
    bars(`Share of the recommendations by popularity group. ${told}`, pairs, { height: 190, width: roomIn("popularity"), second: rated, format }),
    element("p", { class: "key" }, key("bar", "recommendations"), key("mark", "ratings, to compare")),
  ];
}

function key(kind, text) {
  return element("span", {}, element("span", { class: `swatch ${kind}` }), text);
}

function coverage(answer, feedback) {
  return facts([
    ["Coverage", percent(answer.coverage)],
    ["Movies offered", `${number(answer.recommendedMovies)} of ${number(answer.movies)}`],
    ["Recommendations", number(answer.recommendations)],
    ["Lists", number(feedback.lists)],
    ["Hit rate", percent(feedback.hitRate)],
    ["Time to hit", feedback.medianSecondsToHit === null ? "–" : `${number(feedback.medianSecondsToHit)} s (median)`],
  ]);
}

/** A GET that several parts of the page share; asked again after it failed. */
function shared(path) {
  let asked = null;
  return () => (asked ??= get(path).catch((error) => {
    asked = null;
    throw error;
  }));
}

const models = shared("/v1/stats/model");
const reach = shared("/v1/stats/reach");
show(find("current"), async () => current(await models()));
show(find("accuracy"), async () => accuracy(await models()));
show(find("popularity"), async () => popularity(await reach()));
show(find("reach"), async () => coverage(await reach(), await get("/v1/stats/feedback")));
