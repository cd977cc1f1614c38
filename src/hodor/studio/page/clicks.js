// Masks from clicks and a box: shown until they are taken, each prompt mending what was found.

import { lookAt, maskOfClicks } from "./api.js";
import { attempt, prepareEdit, readyToShow, replaceMask } from "./edits.js";
import { byId } from "./elements.js";
import { inkMask } from "./masks.js";
import { tell } from "./notices.js";
import { decode } from "./runs.js";
import { draw, drawOver, shown } from "./stage.js";
import { goodNews, isTracking, on, selectedObject, state, update } from "./store.js";

const REST = 200; // ms that a frame is shown before it is looked at: who steps on does not wait for it
const NAMES = ["as a whole", "whole", "part", "smaller part"];
const canvas = document.createElement("canvas"); // the mask that is offered
/** @type {Click[]} */
let prompts = []; // {x, y, on} or {box}, in the order in which they were given
/** @type {{frame?: number, id?: number}} */
let place = {}; // {frame, id} that they belong to
/** @type {{bits: Uint8Array, best: number} | null} */
let offered = null; // {bits, best}: four masks, one in each bit
let chosen = null; // which of them, if the user said so
let first = null; // which mask the first prompt was taken to mean, if the user said so
let round = 0; // counts what was asked for: answers to older questions are left aside
let asking = Promise.resolve();

export function startClicks() {
  on(["follow", "job"], watch);
  on(["tool", "frame", "about", "clicks", "playing", "scrubbing"], look);
  on(["frame", "selected", "objects"], leave);
  drawOver(paint);
  byId("take-mask").onclick = takeMask;
}

/** A click; on: whether it is on the object.
 * @type {(at: Point, onObject: boolean) => void} */
export function addClick(at, onObject) {
  const { width, height } = state.video;
  if (at.x < 0 || at.y < 0 || at.x > width || at.y > height) return;
  add({ x: at.x, y: at.y, on: onObject });
}

/** A box; it takes the place of an earlier one.
 * @type {(box: Box) => void} */
export function addBox(box) {
  add({ box });
}

/** Takes back the last prompt; true if there was one. */
export function dropPrompt() {
  if (!prompts.length) return false;
  prompts.pop();
  if (prompts.length < 2) first = null;
  ask();
  return true;
}

/** Gives up all prompts; true if there were any. */
export function forgetPrompts() {
  const had = prompts.length > 0;
  clear();
  return had;
}

/** Shows the next of the masks that a prompt may mean. */
export function nextMask() {
  if (!offered) return;
  // One click means one of three; further prompts together mean the first, and the three after it.
  const order = prompts.length === 1 && !prompts[0].box ? [1, 2, 3] : [0, 1, 2, 3];
  const at = order.indexOf(mask());
  chosen = order[(at + 1) % order.length];
  if (prompts.length === 1) first = chosen;
  show();
  goodNews(`Mask ${order.indexOf(chosen) + 1} of ${order.length}: ${NAMES[chosen]}`);
}

/** Makes what is offered the object's mask; true if there was anything to take. */
export async function takeMask() {
  if (!prompts.length) return false;
  await asking;
  if (!offered || shown?.frame !== place.frame) return true;
  const { bits } = offered;
  const bit = mask();
  const found = Uint8Array.from(bits, (value) => (value >> bit) & 1);
  clear();
  if (found.some(Boolean) && (await prepareEdit())) replaceMask(found);
  return true;
}

export const hasPrompts = () => prompts.length > 0;

const mask = () => chosen ?? offered.best;

function add(prompt) {
  if (!readyToShow()) return;
  if (!prompts.length) place = { frame: state.frame, id: state.selected };
  if (prompts.length === 1 && chosen !== null) first = chosen;
  prompts.push(prompt);
  ask();
}

function ask() {
  asking = answer();
  draw();
}

async function answer() {
  const question = ++round;
  /** @type {[number, number, boolean][]} */
  const points = prompts.filter((p) => !p.box).map((p) => [p.x, p.y, p.on]);
  const box = prompts.findLast((p) => p.box)?.box ?? null;
  chosen = null;
  if (!box && !points.some(([, , onObject]) => onObject)) {
    offered = null;
    return show();
  }
  update({ segmenting: state.segmenting + 1 });
  const found = await attempt(() => maskOfClicks(place.frame, { points, box, first }));
  update({ segmenting: state.segmenting - 1 });
  if (question !== round) return;
  offered = found && {
    bits: decode(found.runs, state.video.width * state.video.height),
    best: found.best,
  };
  if (prompts.length === 1 && first !== null) chosen = first;
  show();
}

function clear() {
  round++;
  prompts = [];
  offered = chosen = first = null;
  show();
}

/** Prompts belong to one object in one frame. */
function leave() {
  if (!prompts.length) return;
  if (place.frame === state.frame && place.id === state.selected) return;
  clear();
  tell("The mask that was offered was not taken; Enter takes it.");
}

/** Has a frame looked at as soon as it is shown and the tool is chosen. */
let timer = null;
function look() {
  clearTimeout(timer);
  const wanted = state.tool === "click" && state.clicks && state.video && !state.playing;
  if (!wanted || state.scrubbing || watching) return;
  if ([state.lookedAt, state.looking].includes(state.frame)) return;
  timer = setTimeout(lookNow, REST, state.frame);
}

/** Who watches tracking does not click: looking would take the processor from what is watched. */
let watching = false;
function watch() {
  const now = state.follow && isTracking();
  if (now === watching) return;
  watching = now;
  look();
}

async function lookNow(frame) {
  if (state.frame !== frame || shown?.frame !== frame) return;
  update({ looking: frame });
  const answer = await attempt(() => lookAt(frame));
  if (state.looking === frame) update({ looking: null });
  if (answer?.ready && state.frame === frame) update({ lookedAt: frame });
  document.body.dataset.looked = frame;
}

function show() {
  document.body.dataset.offered = String(offered ? prompts.length : 0);
  if (state.offered !== Boolean(offered)) update({ offered: Boolean(offered) });
  if (!offered) return draw();
  inkMask(canvas, state.video, offered.bits, mask(), selectedObject()?.colour, 0x99);
  draw();
}

function paint(pen, scale) {
  if (!prompts.length || shown?.frame !== place.frame) return;
  if (offered) pen.drawImage(canvas, 0, 0);
  const thin = (1.5 * devicePixelRatio) / scale;
  const box = prompts.findLast((p) => p.box)?.box;
  if (box) paintBox(pen, box, thin);
  for (const prompt of prompts) if (!prompt.box) paintDot(pen, prompt, thin);
}

function paintBox(pen, [left, top, right, bottom], thin) {
  for (const [ink, width] of [["rgba(0,0,0,.65)", 3 * thin], ["#fff", thin]]) {
    pen.strokeStyle = ink;
    pen.lineWidth = width;
    pen.strokeRect(left, top, right - left, bottom - top);
  }
}

/** A dot with its sign: green with a plus, red with a minus.
 * @type {(pen: Pen, click: Click, thin: number) => void} */
function paintDot(pen, { x, y, on: onObject }, thin) {
  pen.beginPath();
  pen.arc(x, y, 5.5 * thin, 0, 7);
  pen.fillStyle = onObject ? "#1fae5a" : "#e5484d";
  pen.fill();
  pen.strokeStyle = "#fff";
  pen.lineWidth = 1.2 * thin;
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x - 2.6 * thin, y);
  pen.lineTo(x + 2.6 * thin, y);
  if (onObject) {
    pen.moveTo(x, y - 2.6 * thin);
    pen.lineTo(x, y + 2.6 * thin);
  }
  pen.stroke();
}
