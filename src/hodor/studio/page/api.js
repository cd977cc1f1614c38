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

async function send(method, path, { json, body } = {}) {
  const options = { method, body };
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

const json = async (...request) => (await send(...request)).json();

export const getState = () => json("GET", "api/state");
export const getCurves = () => json("GET", "api/curves");

/** A frame's picture: {number, blob}. quick: a frame near it will do. */
export async function getFrame(index, width, quick) {
  const answer = await send("GET", `api/frames/${index}?width=${width}${quick ? "&quick=1" : ""}`);
  return { number: Number(answer.headers.get("X-Frame")), blob: await answer.blob() };
}

/** A frame's label map as runs, and what is known of it. */
export async function getLabels(index) {
  const answer = await send("GET", `api/labels/${index}`);
  const about = JSON.parse(answer.headers.get("X-About"));
  return { runs: new Uint32Array(await answer.arrayBuffer()), about };
}

export const give = (frame, id, runs, baseline) =>
  json("PUT", `api/given/${frame}/${id}?base=${baseline}`, { body: runs });
export const takeBack = (frame, id) => json("DELETE", `api/given/${frame}/${id}`);
export const accept = (frame, id) => json("POST", `api/given/${frame}/${id}/accept`);

export const addObject = () => json("POST", "api/objects");
export const changeObject = (id, changes) => json("PATCH", `api/objects/${id}`, { json: changes });
export const removeObject = (id) => json("DELETE", `api/objects/${id}`);

export const undo = () => json("POST", "api/undo");
export const redo = () => json("POST", "api/redo");

/** The mask of a prompt, as runs. */
export async function segment(frame, prompt) {
  const answer = await send("POST", `api/segment/${frame}`, { json: prompt });
  return new Uint32Array(await answer.arrayBuffer());
}

/** Has a frame looked at, so that its first click need not wait: {ready}. */
export const lookAt = (frame) => json("POST", `api/look/${frame}`);

/** Four masks of clicks and a box, in the bits of one map: {runs, best}. */
export async function maskOfClicks(frame, prompts) {
  const answer = await send("POST", `api/click/${frame}`, { json: prompts });
  return { runs: new Uint32Array(await answer.arrayBuffer()), best: Number(answer.headers.get("X-Best")) };
}

export const track = (way, frame) => json("POST", "api/track", { json: { way, frame } });
export const exportAs = (formats) => json("POST", "api/export", { json: { formats } });
export const moveJob = (action) => json("POST", "api/job", { json: { action } });
