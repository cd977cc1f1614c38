// Pictures of frames: a few kept, neighbours fetched ahead.

import * as api from "./api.js";
import { state } from "./store.js";

const KEPT = 32;
const AHEAD = 4;
const QUICK_WIDTH = 640; // while scrubbing
/** @type {Map<number, Picture>} */
const kept = new Map(); // by frame
let width = 960;

/** Frames are asked for at the width at which they are shown, in coarse steps. */
export function setWidth(pixels) {
  const wanted = [640, 960, 1280, 1920, 2560].find((w) => w >= pixels) ?? 2560;
  if (wanted > width) {
    width = wanted;
    kept.clear();
  }
}

/** A frame's {number, bitmap}; while scrubbing the number may be of a frame near it.
 * @type {(frame: number, quick?: boolean) => Promise<Picture>} */
export async function pictureOf(frame, quick = false) {
  const found = kept.get(frame);
  if (found) {
    kept.delete(frame);
    kept.set(frame, found);
    return found;
  }
  const size = quick ? Math.min(QUICK_WIDTH, width) : width;
  const { number, blob } = await api.getFrame(frame, size, quick);
  const picture = { number, bitmap: await createImageBitmap(blob) };
  if (!quick) keep(frame, picture);
  return picture;
}

function keep(frame, picture) {
  kept.set(frame, picture);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

/** Fetches what will be wanted next, in the direction of the last move. */
export async function fetchAhead(frame, step) {
  for (let i = 1; i <= AHEAD; i++) {
    const next = frame + step * i;
    if (next < 0 || next >= state.video.frames || state.frame !== frame) return;
    if (!kept.has(next)) await pictureOf(next).catch(() => {});
  }
}
