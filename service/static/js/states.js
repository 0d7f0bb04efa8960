// What a part of a page shows: loading, an error with a way out, emptiness, or its content.

import { element } from "./dom.js";

const SLOW = 200;

/** Fill a place with what `load` makes; while that takes, and when it fails, the place says so. */
export async function show(place, load) {
  const turn = (place.turn ?? 0) + 1;
  place.turn = turn;
  place.setAttribute("aria-busy", "true");
  const timer = setTimeout(() => place.classList.add("loading"), SLOW);
  let content;
  try {
    content = await load();
  } catch (error) {
    content = error.name === "AbortError" ? null : failure(error, () => show(place, load));
  }
  clearTimeout(timer);
  if (place.turn !== turn) return; // something newer is on its way
  place.classList.remove("loading", "loads");
  place.setAttribute("aria-busy", "false");
  if (content !== null) place.replaceChildren(...[content].flat());
}

export function empty(...text) {
  return element("p", { class: "state" }, ...text);
}

function failure(error, again) {
  return element(
    "div",
    { class: "state failure", role: "alert" },
    element("p", {}, error.message),
    element("button", { type: "button", onclick: again }, "Try again"),
  );
}
