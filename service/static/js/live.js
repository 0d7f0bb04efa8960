// The Live page: the stream as a list, and the last hour as three small plots.

import { get } from "./api.js";
import { element, find, moment, movieLink, percent, reasons, userLink } from "./dom.js";
import { local } from "./paths.js";
import { bars, trail } from "./plots.js";

const HOUR = 3_600_000;
const SHOWN = 40;
const BINS = 12;
const SMALL = { height: 84, width: 320, ends: ["1 h ago", "now"] };
const BASIS = { history: "Next, by the history and what is current", trending: "Next, by what is trending", popular: "Next, by what is popular" };
const opened = Date.now();
const finishes = []; // {at, userId, node, pushed}
const latencies = []; // [arrival, seconds]
const rates = []; // [moment, hit rate]
const held = []; // what came during a pause
let paused = false;

function follow() {
  const stream = new EventSource(local("/v1/stream?recent=40"));
  stream.onopen = () => connected("open", "Connected");
  stream.onerror = () => {
    connected("lost", "Connection lost; trying again …");
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
  stream.addEventListener("watch", (message) => take(seen, JSON.parse(message.data)));
  stream.addEventListener("gap", () => connected("open", "Connected; some of what happened meanwhile is not shown"));
  stream.addEventListener("recommendations", (message) => take(listed, JSON.parse(message.data)));
}

/** Show a message now, or after the pause. */
function take(work, data) {
  const arrived = Date.now();
  if (!paused) return work(data, arrived);
  held.push(() => work(data, arrived));
  find("pause").textContent = `Go on (${held.length} new)`;
}

function pause() {
  paused = !paused;
  find("pause").setAttribute("aria-pressed", String(paused));
  find("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused) for (const work of held.splice(0)) work();
}

function connected(state, text) {
  const place = find("connection");
  if (place.textContent === text) return;
  place.dataset.state = state;
  place.textContent = text;
}

function seen(viewing) {
  const node = entry(viewing);
  prepend(node);
  if (viewing.status !== "finished") return;
  finishes.unshift({ at: Date.parse(viewing.at), userId: viewing.userId, node, pushed: false });
  drawFinishes();
}

function entry(viewing) {
  const what = { started: "started", finished: "finished", abandoned: "gave up" }[viewing.status];
  return element(
    "li",
    { class: `entry ${viewing.status}`, "data-user": viewing.userId },
    moment(viewing.at, "time"),
    element("p", {}, userLink(viewing.userId), ` ${what} `, movieLink(viewing)),
  );
}

/** A fresh list goes beside the finish that it follows. */
function listed(pushed, arrived) {
  const finish = finishes.find((one) => one.userId === pushed.userId && !one.pushed);
  const node = finish?.node ?? prepend(element("li", { class: "entry" }, moment(pushed.at, "time"), element("p", {}, userLink(pushed.userId), " was offered")));
  node.append(offer(pushed));
  if (!finish) return;
  finish.pushed = true;
  if (finish.at >= opened - 1000) measured((arrived - finish.at) / 1000);
}

function offer(pushed) {
  const movies = pushed.recommendations.slice(0, 3).map((movie) => element("li", {}, movieLink(movie), " ", reasons(movie, 2)));
  return element("div", { class: "offer" }, element("p", { class: "hint" }, BASIS[pushed.basis]), element("ol", {}, ...movies));
}

function prepend(node) {
  const feed = find("feed");
  find("feed-empty").hidden = true;
  feed.prepend(node);
  while (feed.children.length > SHOWN) feed.lastElementChild.remove();
  return node;
}

function measured(seconds) {
  latencies.push([Date.now(), Math.max(0, seconds)]);
  drawLatency();
}

function plot(place, hint, picture) {
  find(place).replaceChildren(element("p", { class: "hint" }, hint), picture);
}

function drawFinishes() {
  const now = Date.now();
  while (finishes.length && finishes.at(-1).at < now - HOUR) finishes.pop();
  const counts = new Array(BINS).fill(0);
  for (const { at } of finishes) {
    const place = Math.floor(((at - now + HOUR) / HOUR) * BINS);
    if (place >= 0) counts[Math.min(BINS - 1, place)] += 1;
  }
  const shown = counts.reduce((sum, count) => sum + count, 0);
  find("finished").textContent = shown;
  const pairs = counts.map((count, place) => [`${60 - place * 5} minutes ago`, count]);
  plot("finished-plot", "Movies in the last hour that this page knows of", bars(`${shown} movies finished, per five minutes`, pairs, SMALL));
}

function drawLatency() {
  const now = Date.now();
  while (latencies.length && latencies[0][0] < now - HOUR) latencies.shift();
  const sorted = latencies.map(([, seconds]) => seconds).sort((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)];
  find("latency").textContent = sorted.length ? middle < 1 ? `${Math.round(middle * 1000)} ms` : `${middle.toFixed(1)} s` : "–";
  const points = latencies.map(([at, seconds]) => [(now - at) / 60_000, seconds]);
  if (sorted.length === 0) return plot("latency-plot", "Measured from the next finish on", trail("Nothing measured yet", [], SMALL));
  const told = sorted.length === 1 ? "One finish" : `Median of ${sorted.length} finishes`;
  plot("latency-plot", `${told}, until shown here`, trail("Seconds from a finish to its list, over the last hour", points, SMALL));
}

async function drawHits() {
  try {
    const feedback = await get("/v1/stats/feedback", { days: 1 / 24 });
    find("hits").textContent = percent(feedback.hitRate);
    if (feedback.hitRate !== null) rates.push([Date.now(), feedback.hitRate]);
    while (rates.length && rates[0][0] < Date.now() - HOUR) rates.shift();
    const text = feedback.lists === 0 ? "No lists in the last hour" : `${feedback.listsWithHit} of the hour’s ${feedback.lists} lists led to a viewing`;
    const points = rates.map(([at, rate]) => [(Date.now() - at) / 60_000, rate]);
    plot("hits-plot", text, trail("Hit rate over the last hour", points, SMALL));
  } catch (error) {
    plot("hits-plot", error.message, trail("Nothing measured", [], SMALL));
  }
}

find("pause").addEventListener("click", pause);
follow();
drawFinishes();
drawLatency();
drawHits();
setInterval(drawHits, 15_000);
setInterval(drawFinishes, 30_000);
