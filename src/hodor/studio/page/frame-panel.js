// What is known of the selected object in this frame, and what can be done about it.

import * as api from "./api.js";
import { attempt } from "./edits.js";
import { byId } from "./elements.js";
import { encodeMask } from "./runs.js";
import { shown } from "./stage.js";
import { on, selectedObject, state } from "./store.js";

const text = byId("standing");
const keep = byId("keep");
const back = byId("take-back");
const leave = byId("gone");

export function startFramePanel() {
  keep.onclick = keepMask;
  back.onclick = takeBack;
  leave.onclick = sayGone;
  on(["about", "selected", "objects", "stale", "given", "frame"], draw);
}

/** What was tracked becomes a given mask. */
export function keepMask() {
  const object = selectedObject();
  if (object && !keep.disabled) attempt(() => api.accept(state.frame, object.id));
}

/** A given mask is taken back: the frame is tracked again. */
export function takeBack() {
  const object = selectedObject();
  if (object && !back.disabled) attempt(() => api.takeBack(state.frame, object.id));
}

/** The object is not there from this frame on. */
export function sayGone() {
  const object = selectedObject();
  if (!object || leave.disabled) return;
  const nothing = encodeMask(new Uint8Array(state.video.width * state.video.height), 1);
  attempt(() => api.give(state.frame, object.id, nothing, shown?.about.edited ?? 0));
}

function draw() {
  const object = selectedObject();
  const { given = [], gone = [], confidence = {} } = state.about ?? {};
  const id = object?.id;
  const isGiven = given.includes(id);
  const isGone = gone.includes(id);
  const value = confidence[id];
  keep.disabled = !object || isGiven || isGone || !(value > 0);
  back.disabled = !object || !(isGiven || isGone);
  leave.disabled = !object || isGone || !state.about;
  text.replaceChildren(...describe(object, isGiven, isGone, value));
}

function describe(object, isGiven, isGone, value) {
  if (!object) return [head("No object yet"), line("Draw on the frame to begin one.")];
  if (isGone) return [head("Gone from here on"), line("Up to its next given mask.")];
  if (isGiven) return [head("Mask given"), line("Tracking never changes it.")];
  const stale = state.stale[object.id]?.[state.frame];
  if (value === undefined) {
    return [head("No mask"), line(stale ? "Not tracked yet." : "Draw one, or track to here.")];
  }
  const note = stale ? "Out of date: track again." : value < 0.5 ? "Look here: it may be wrong." : "Tracked.";
  return [head(value > 0 ? `Confidence ${value.toFixed(2)}` : "Not visible"), line(note)];
}

function head(words) {
  const element = document.createElement("strong");
  element.textContent = words;
  return element;
}

function line(words) {
  const element = document.createElement("span");
  element.textContent = words;
  return element;
}
