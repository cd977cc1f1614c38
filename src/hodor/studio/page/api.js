// Requests to the server. The token is in the page's own address, which all paths are relative to.

export const base = location.pathname.replace(/[^/]*$/, "");

/** A request that failed. `offline`: nobody answered; else the server said why. */
export class Problem extends Error {
  constructor(message, { status = 0, offline = false } = {}) {
    super(message);
    this.status = status;
    this.offline = offline;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: any, body?: any, signal?: AbortSignal}} sent
 */
async function send(method, path, { json, body, signal } = {}) {
  /** @type {RequestInit} */
  const options = { method, body, signal };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers = { "Content-Type": "application/json" };
  }
  let answer;
  try {
    answer = await fetch(base + path, options);
  } catch {
    throw new Problem("The server does not answer.", { offline: true });
  }
  if (!answer.ok) throw new Problem(await reason(answer), { status: answer.status });
  return answer;
}

async function reason(answer) {
  try {
    const said = await answer.json();
    return said.message ?? `The server refused (${answer.status}).`;
  } catch {
    return `The server refused (${answer.status}).`;
  }
}

/** @param {[method: string, path: string, sent?: {json?: any, body?: any}]} request */
const json = async (...request) => (await send(...request)).json();

/** @type {() => Promise<Answer>} */
export const getState = () => json("GET", "api/state");
/** @type {() => Promise<ById<number[]>>} */
export const getCurves = () => json("GET", "api/curves");

/** A frame's picture: {number, blob}. quick: a frame near it will do.
 * @type {(index: number, width: number, quick: boolean) => Promise<{number: number, blob: Blob}>} */
export async function getFrame(index, width, quick) {
  const answer = await send("GET", `api/frames/${index}?width=${width}${quick ? "&quick=1" : ""}`);
  return { number: Number(answer.headers.get("X-Frame")), blob: await answer.blob() };
}

/** A frame's label map as runs, and what is known of it.
 * @type {(index: number) => Promise<{runs: Uint32Array, about: About}>} */
export async function getLabels(index) {
  const answer = await send("GET", `api/labels/${index}`);
  const about = JSON.parse(answer.headers.get("X-About"));
  return { runs: new Uint32Array(await answer.arrayBuffer()), about };
}

/** @type {(frame: number, id: number, runs: Uint32Array, baseline: number) => Promise<{edited: number}>} */
export const give = (frame, id, runs, baseline) =>
  json("PUT", `api/given/${frame}/${id}?base=${baseline}`, { body: runs });
/** @type {(frame: number, id: number) => Promise<{edited: number}>} */
export const takeBack = (frame, id) => json("DELETE", `api/given/${frame}/${id}`);
/** @type {(frame: number, id: number) => Promise<{edited: number}>} */
export const accept = (frame, id) => json("POST", `api/given/${frame}/${id}/accept`);

/** @type {() => Promise<Followed>} */
export const addObject = () => json("POST", "api/objects");
/** @type {(id: number, changes: {name?: string, colour?: string}) => Promise<{}>} */
export const changeObject = (id, changes) => json("PATCH", `api/objects/${id}`, { json: changes });
/** @type {(id: number) => Promise<{}>} */
export const removeObject = (id) => json("DELETE", `api/objects/${id}`);

/** @type {() => Promise<{frame: number | null}>} */
export const undo = () => json("POST", "api/undo");
/** @type {() => Promise<{frame: number | null}>} */
export const redo = () => json("POST", "api/redo");

/** The mask of a prompt, as runs.
 * @type {(frame: number, prompt: Drawn & {mend?: number}) => Promise<Uint32Array>} */
export async function segment(frame, prompt) {
  const answer = await send("POST", `api/segment/${frame}`, { json: prompt });
  return new Uint32Array(await answer.arrayBuffer());
}

/** Has a frame looked at, so that its first click need not wait: {ready}.
 * @type {(frame: number) => Promise<{ready: boolean}>} */
export const lookAt = (frame) => json("POST", `api/look/${frame}`);

/** Four masks of clicks and a box, in the bits of one map: {runs, best}. passing: asked while the pointer
 * passes; null if meanwhile something newer was asked.
 * @type {(frame: number, prompts: {points: [number, number, boolean][], box: Box, first: number | null, passing?: boolean},
 *   signal?: AbortSignal) => Promise<{runs: Uint32Array, best: number} | null>} */
export async function maskOfClicks(frame, prompts, signal) {
  const answer = await send("POST", `api/click/${frame}`, { json: prompts, signal });
  if (answer.status === 204) return null;
  return { runs: new Uint32Array(await answer.arrayBuffer()), best: Number(answer.headers.get("X-Best")) };
}

/** @type {(way: "forward" | "backward" | "both", frame: number) => Promise<{}>} */
export const track = (way, frame) => json("POST", "api/track", { json: { way, frame } });
/** @type {(formats: string[]) => Promise<{}>} */
export const exportAs = (formats) => json("POST", "api/export", { json: { formats } });
/** @type {(action: "pause" | "go_on" | "cancel") => Promise<{}>} */
export const moveJob = (action) => json("POST", "api/job", { json: { action } });
