// The numbers that a version is served by, in plain words.

import { exact } from "./dom.js";
import { table } from "./plots.js";
import { empty } from "./states.js";

export function rule({ current: model, overrides }) {
  if (!model) return empty("No model yet.");
  const own = model.rule;
  const rows = [
    ["How much what is current decides: the dial", changed(own.current, overrides.current)],
    ["A viewing is half as current after", `${own.halfLife} days`],
    ["All of the past counts as", `${exact(own.longRun)} persons`],
    ["How much a history counts", exact(own.tastes)],
    ["Popularity offset", exact(own.popularityOffset)],
    ["Interactions of a history, the newest", changed(own.historyLimit, overrides.historyLimit)],
    ["The newest of them counts", `${exact(1 + own.placeBoost)} times`],
    ["What is left of that, from one to the next", exact(own.placeDecay)],
    ["Ratings of ½, 1, 1½ … 5 stars count", several(...own.rated)],
    ["Finished, started, given up", several(own.finished, own.started, own.abandoned)],
    ["Liked, not interested", several(own.liked, own.disliked)],
    ["Listed, clicked", several(own.listed, own.clicked)],
    ["The fit learns as liked", `${exact(own.likedFrom)} stars or more`],
  ];
  return table("The rule of the version in use", ["What", "Number"], rows);
}

const several = (...values) => values.map(exact).join(", ");
const changed = (fitted, set) => (set === null ? exact(fitted) : `${exact(set)} (set by the operator; fitted: ${exact(fitted)})`);
