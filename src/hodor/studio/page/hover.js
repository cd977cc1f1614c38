// The mask that a click would give, shown faintly where the pointer rests, before anything is clicked.

import { maskOfClicks } from "./api.js";
import { hasPrompts } from "./clicks.js";
import { readyToShow } from "./edits.js";
import { inkMask } from "./masks.js";
import { decode } from "./runs.js";
import { draw, drawOver, shown } from "./stage.js";
import { on, selectedObject, state } from "./store.js";

const REST = 60; // ms that the pointer rests before it is asked what is there
const FLUID = 600; // ms; where answers keep taking longer there are no more, for they only disturb
const PATIENCE = 3; // such answers in a row
const canvas = document.createElement("canvas");
/** @type {Point | null} */
let pointer = null; // where it is over the frame, with no button down
/** @type {AbortController | null} */
let asking = null; // the one question that is on its way
/** @type {{bits: Uint8Array, best: number} | null} */
let seen = null; // the mask that is shown
let slow = 0; // answers in a row that took long
let timer = null;

export function startHover() {
  on(["tool", "frame", "selected", "lookedAt", "drawing", "playing", "about"], () => begin(false));
  on(["lookedAt"], () => (slow = 0));
  drawOver((pen) => seen && pen.drawImage(canvas, 0, 0));
}

/** Tells where the pointer is; null: not over the frame, or a button is down.
 * @type {(at: Point | null) => void} */
export function hover(at) {
  pointer = at;
  begin(at !== null && covers(at));
}

/** What was asked for is of another place now; so is what is shown, unless it is to be kept. */
function begin(keep) {
  clearTimeout(timer);
  asking?.abort();
  asking = null;
  if (!keep) forget();
  if (wanted()) timer = setTimeout(ask, REST);
}

/** Whether the mask that is shown lies under a point: then it stays until there is another. */
function covers({ x, y }) {
  if (!seen) return false;
  const { width, height } = state.video;
  if (x < 0 || y < 0 || x >= width || y >= height) return false;
  return Boolean((seen.bits[Math.floor(y) * width + Math.floor(x)] >> seen.best) & 1);
}

function wanted() {
  if (!pointer || state.tool !== "click" || state.drawing || hasPrompts() || slow >= PATIENCE) return false;
  const { width, height } = state.video;
  const inside = pointer.x >= 0 && pointer.y >= 0 && pointer.x < width && pointer.y < height;
  return inside && state.lookedAt === state.frame && readyToShow();
}

async function ask() {
  if (!wanted()) return;
  const question = new AbortController();
  asking = question;
  const { frame } = state;
  const began = performance.now();
  /** @type {[number, number, boolean][]} */
  const points = [[pointer.x, pointer.y, true]];
  const prompts = { points, box: null, first: null, passing: true };
  // A preview that fails is none: whoever clicks is told why.
  const found = await maskOfClicks(frame, prompts, question.signal).catch(() => null);
  if (asking !== question) return;
  asking = null;
  slow = performance.now() - began > FLUID ? slow + 1 : 0;
  if (found && wanted()) show(found);
}

/** @type {(found: {runs: Uint32Array, best: number}) => void} */
function show({ runs, best }) {
  const bits = decode(runs, shown.labels.length);
  const count = inkMask(canvas, state.video, bits, best, selectedObject()?.colour, 0x55);
  seen = { bits, best };
  document.body.dataset.hovered = String(count);
  draw();
}

function forget() {
  document.body.dataset.hovered = "0";
  if (!seen) return;
  seen = null;
  draw();
}
