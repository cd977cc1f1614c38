// From drawing to the server: masks are sent when a stroke ends, and kept until they are saved.

import * as api from "./api.js";
import { forgetLabels, setMask, waiting } from "./labels.js";
import { tell } from "./notices.js";
import { encodeMask } from "./runs.js";
import { repaint, shown } from "./stage.js";
import { selectedObject, state, update } from "./store.js";

let sending = false;
let adding = null; // the object that is being made: what is drawn meanwhile is meant for it

// What masks are made of, by frame and object: 1 where a prompt found it, 2 where it was erased by
// hand. What was painted by hand, or came from elsewhere, is neither, and no prompt takes it away.
const FOUND = 1;
const ERASED = 2;
/** @type {Map<string, Uint8Array>} */
const made = new Map();

/** How the pixels of the selected object's mask in the frame that is shown came to be. */
export function making() {
  const key = `${shown.frame} ${state.selected}`;
  if (!made.has(key)) made.set(key, new Uint8Array(shown.labels.length));
  return made.get(key);
}

/** Notes that a pixel was painted, or erased, by hand.
 * @type {(how: Uint8Array, i: number, erased: boolean) => void} */
export function byHand(how, i, erased) {
  how[i] = erased ? ERASED : 0;
}

/** Whether the frame that is shown is whole and still. */
export const readyToShow = () => ready();

const ready = () => shown?.exact && shown.frame === state.frame && !state.playing;

/** Makes the frame that is shown ready to be drawn on, with an object to draw unless there need be
 * `noObject` yet; false if it isn't.
 * @type {(tool?: {noObject?: boolean}) => Promise<boolean>} */
export async function prepareEdit({ noObject = false } = {}) {
  if (!ready()) return false;
  update({ follow: false });
  await adding;
  if (noObject) return ready();
  if (!selectedObject()) await addObject();
  return ready() && selectedObject() !== null;
}

export function addObject() {
  adding = makeObject();
  return adding;
}

/** Waits until what was drawn so far has found its object. */
export async function settled() {
  await adding;
  await new Promise((done) => setTimeout(done));
}

async function makeObject() {
  try {
    const { id, name, colour } = await api.addObject();
    const there = state.objects.some((o) => o.id === id);
    if (!there) update({ objects: [...state.objects, { id, name, colour }] });
    update({ selected: id });
  } catch (problem) {
    tell(problem.message, "error");
  }
}

/** Sends the selected object's mask of the frame that is shown. */
export function save() {
  const id = state.selected;
  waiting.push({
    frame: shown.frame,
    id,
    runs: encodeMask(shown.labels, id),
    base: shown.about.edited,
  });
  update({ unsaved: waiting.length });
  sendAll();
}

/** Sends what waits; what cannot be sent stays, and is sent when the server is back. */
export async function sendAll() {
  if (sending) return;
  sending = true;
  try {
    while (waiting.length) {
      const { frame, id, runs, base } = waiting[0];
      const { edited } = await api.give(frame, id, runs, base);
      waiting.shift();
      // What was drawn while this was on its way was drawn on what is saved now.
      for (const next of waiting) if (next.frame === frame) next.base = edited;
      if (shown?.frame === frame) shown.about.edited = edited;
      update({ unsaved: waiting.length, failure: null });
    }
  } catch (problem) {
    refused(problem);
  } finally {
    sending = false;
  }
}

function refused(problem) {
  if (problem.offline) return; // it goes on when the server is back
  if (problem.status === 422 && /cannot be written/.test(problem.message)) {
    update({ failure: problem.message }); // nothing is thrown away: the user may make room
    return;
  }
  const lost = waiting.shift();
  update({ unsaved: waiting.length });
  forgetLabels(lost.frame);
  tell(problem.message, "error");
  if (waiting.length) setTimeout(sendAll);
}

/** Gives the selected object a mask that was found in the frame that is shown, and sends it.
 * What was painted by hand stays, what was erased by hand stays away.
 * @type {(mask: Uint8Array) => void} */
export function replaceMask(mask) {
  const { labels, about } = shown;
  const id = state.selected;
  const how = making();
  const given = about.given.includes(id);
  for (let i = 0; i < labels.length; i++) {
    const kept = given && labels[i] === id && how[i] !== FOUND;
    if (kept) mask[i] = 1;
    else if (how[i] === ERASED) mask[i] = 0;
    else if (mask[i]) how[i] = FOUND;
  }
  setMask(labels, id, mask);
  repaint();
  save();
}

/** Does what the server is asked for; a refusal is told.
 * @type {<T>(request: () => T) => Promise<Awaited<T> | null>} */
export async function attempt(request) {
  try {
    return await request();
  } catch (problem) {
    tell(problem.message, "error");
    return null;
  }
}

export async function undo() {
  const done = state.undo && (await attempt(api.undo));
  if (done && done.frame !== null) update({ frame: done.frame });
}

export async function redo() {
  const done = state.redo && (await attempt(api.redo));
  if (done && done.frame !== null) update({ frame: done.frame });
}
