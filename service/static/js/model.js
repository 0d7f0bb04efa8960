// The Model page.

import { accuracy, dial } from "./accuracy.js";
import { get } from "./api.js";
import { element, exact, find, moment, number, percent } from "./dom.js";
import { bars, facts, roomIn, table } from "./plots.js";
import { rule } from "./rule.js";
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
  const rows = Object.entries(values).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "number" ? exact(value) : String(value)]);
  return table("Parameters of the fit", ["Parameter", "Value"], rows);
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
show(find("dial"), async () => dial(await models()));
show(find("rule"), async () => rule(await models()));
show(find("popularity"), async () => popularity(await reach()));
show(find("reach"), async () => coverage(await reach(), await get("/v1/stats/feedback")));
