// How well the versions of the model find what people watched next, and what the dial does.

import { element, exact, number } from "./dom.js";
import { curve, roomIn, table } from "./plots.js";
import { empty } from "./states.js";

const MEASURE = "ndcg@10 of the next movie";

/** One sentence of the version in use, and a table of all. */
export function accuracy({ current: model, versions }) {
  const judged = versions.filter((version) => Object.keys(version.metrics).length > 0);
  const more = element("p", { class: "hint" }, "Other measures and baselines: ", element("code", {}, "python -m engine evaluate"));
  if (judged.length === 0) return [empty("There was nobody to judge this fit, so its accuracy was not measured."), more];
  return [...(model?.metrics[MEASURE] === undefined ? [] : [sentence(model.metrics)]), versionTable(model, judged), more];
}

function sentence(metrics) {
  const users = number(metrics.judges);
  const asked = metrics.chosenBy === "time" ? `what ${users} users watched next` : `a movie of each of ${users} users that was hidden`;
  return element(
    "p",
    {},
    `Asked for ${asked}, none of which the fit knew, the lists have an NDCG@10 of `,
    element("b", {}, places(metrics[MEASURE])),
    ` (± ${places(metrics.halfWidth)}): 1 if that movie always stood first, 0 if it was never among the first ten. `,
    `One list for everybody has ${places(metrics.lately)} with what was watched lately, ${places(metrics.popular)} with what was watched most ever.`,
  );
}

function versionTable(model, judged) {
  const rows = judged.map(({ version, withdrawn, metrics }) => {
    const name = Object.keys(metrics).find((key) => key.startsWith("ndcg")) ?? "";
    const state = version === model?.version ? "in use" : withdrawn ? "withdrawn" : "kept";
    return [version, state, name.replace("ndcg", "NDCG"), places(metrics[name]), places(metrics.halfWidth), places(metrics.lately), places(metrics.popular), number(metrics.judges)];
  });
  return table("Accuracy by version", ["Version", "State", "Measure", "Value", "95 % within ±", "Lately", "Popular", "Users"], rows);
}

/** The accuracy of each value of the dial, the one in use marked. */
export function dial({ current: model, overrides }) {
  const points = (model?.metrics.dial ?? []).map(([value, accuracy]) => [value, accuracy]);
  if (points.length === 0) return empty("This version was not fitted with a dial to choose.");
  const told = points.map(([value, accuracy]) => `${number(value)}: ${places(accuracy)}`).join(", ");
  const ends = ["0: the history alone", "1: what is current alone"];
  const marked = overrides.current ?? model.rule.current;
  const set = overrides.current === null ? null : element("p", { class: "hint" }, `The fit chose ${exact(model.rule.current)}; RECOMMENDER_CURRENT has been set to ${exact(marked)}.`);
  return [curve(`Accuracy by the dial. ${told}`, points, marked, { width: roomIn("dial"), ends, format: places }), ...(set ? [set] : [])];
}

/** Four places; nothing where there is no figure. */
function places(value) {
  return typeof value === "number" ? value.toFixed(4).replace("-", "−") : "–";
}
