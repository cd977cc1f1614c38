// Label maps of frames, a few of them, as long as they hold.

import * as api from "./api.js";
import { decode } from "./runs.js";
import { state, update } from "./store.js";

/** Drawn, and not saved yet: {frame, id, runs, base}, in order; the first one is on its way. */
export const waiting = [];

const KEPT = 24;
const kept = new Map(); // frame -> promise of {labels, about}

/** A frame's {labels, about}. */
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

/** Replaces an object's mask in a label map. */
export function setMask(labels, id, mask) {
  for (let i = 0; i < labels.length; i++) {
    if (mask[i]) labels[i] = id;
    else if (labels[i] === id) labels[i] = 0;
  }
}

/** Frames whose masks have changed are read anew; without a number, all. */
export function forgetLabels(frame = null) {
  if (frame === null) kept.clear();
  else kept.delete(frame);
  if (frame === null || frame === state.frame) update({ labelsChanged: performance.now() });
}
