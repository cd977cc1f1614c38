// Label maps of frames, a few of them, as long as they hold.

import * as api from "./api.js";
import { decode } from "./runs.js";
import { state, update } from "./store.js";

/** Drawn, and not saved yet, in order; the first one is on its way.
 * @type {Waiting[]} */
export const waiting = [];

const KEPT = 24;
/** @type {Map<number, Promise<Labels>>} */
const kept = new Map(); // by frame

/** A frame's {labels, about}.
 * @type {(frame: number) => Promise<Labels>} */
export function labelsOf(frame) {
  let found = kept.get(frame);
  kept.delete(frame);
  if (!found) {
    found = load(frame);
    found.catch(() => kept.get(frame) === found && kept.delete(frame));
  }
  kept.set(frame, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return found;
}

async function load(frame) {
  const { runs, about } = await api.getLabels(frame);
  const labels = decode(runs, state.video.width * state.video.height);
  // What is not saved yet lies over what the server knows.
  for (const one of waiting) {
    if (one.frame === frame) setMask(labels, one.id, decode(one.runs, labels.length));
  }
  return { labels, about };
}

/** Replaces an object's mask in a label map.
 * @type {(labels: Uint8Array, id: number, mask: Uint8Array) => void} */
export function setMask(labels, id, mask) {
  for (let i = 0; i < labels.length; i++) {
    if (mask[i]) labels[i] = id;
    else if (labels[i] === id) labels[i] = 0;
  }
}

/** Frames whose masks have changed are read anew; without a number, all.
 * @type {(frame?: number) => void} */
export function forgetLabels(frame = null) {
  if (frame === null) kept.clear();
  else kept.delete(frame);
  if (frame === null || frame === state.frame) update({ labelsChanged: performance.now() });
}
