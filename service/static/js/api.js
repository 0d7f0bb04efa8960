// Requests to the REST API.

import { local } from "./paths.js";

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The answer to GET, decoded; `query` leaves out what is empty. */
export async function get(path, query = {}, signal = undefined) {
  const wanted = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = wanted.length ? `?${new URLSearchParams(wanted)}` : "";
  return read(() => fetch(local(path) + search, { headers: { Accept: "application/json" }, signal }));
}

/** Tell what a user did; the result of the event. */
export async function tell(event) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  const answer = await read(() => fetch(local("/v1/events"), { method: "POST", headers, body: JSON.stringify(event) }));
  return answer.results[0];
}

async function read(send) {
  let response;
  try {
    response = await send();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) location.assign(local(`/login?next=${encodeURIComponent(location.pathname + location.search)}`));
  throw new ApiError(response.status, answer.detail ?? response.statusText);
}
