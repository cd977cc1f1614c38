// Label maps of frames, a few of them, as long as they hold.

import * as api from "./api.js";
import { decode } from "./runs.js";
import { state, update } from "./store.js";

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
  return { labels: decode(runs, state.video.width * state.video.height), about };
}

/** Frames whose masks have changed are read anew; without a number, all. */
export function forgetLabels(frame = null) {
  if (frame === null) kept.clear();
  else kept.delete(frame);
  if (frame === null || frame === state.frame) update({ labelsChanged: performance.now() });
}
