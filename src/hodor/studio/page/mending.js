// Small help with the selected object's mask in the frame that is shown.

import * as api from "./api.js";
import { attempt, making, byHand, prepareEdit, save } from "./edits.js";
import { labelsOf } from "./labels.js";
import { tell } from "./notices.js";
import { encodeMask } from "./runs.js";
import { repaint, shown } from "./stage.js";
import { goTo, selectedObject, state } from "./store.js";

/** Gives the next frame the mask of this one, and goes there. */
export async function copyOn() {
  const id = state.selected;
  if (!selectedObject() || shown?.frame !== state.frame) return;
  if (!shown.labels.includes(id)) return tell("The object has no mask in this frame to copy.");
  const next = state.frame + 1;
  if (next >= state.video.frames) return tell("This is the last frame.");
  const runs = encodeMask(shown.labels, id);
  const done = await attempt(async () => {
    const { about } = await labelsOf(next);
    return api.give(next, id, runs, about.edited);
  });
  if (done) goTo(next, { playing: false, follow: false });
}

/** Fills what the object's mask encloses. */
export async function fillHoles() {
  const id = state.selected;
  if (!selectedObject() || !shown?.labels.includes(id) || !(await prepareEdit())) return;
  const { labels } = shown;
  const around = outside(labels, id, state.video.width, state.video.height);
  const how = making();
  let filled = 0;
  for (let i = 0; i < labels.length; i++) {
    if (around[i] || labels[i] === id) continue;
    labels[i] = id;
    byHand(how, i, false);
    filled++;
  }
  if (!filled) return tell("The mask has no holes.");
  repaint();
  save();
}

/** 1 for pixels that are joined to the frame's border without crossing the object. */
function outside(labels, id, width, height) {
  const around = new Uint8Array(labels.length);
  const todo = [];
  const reach = (i) => {
    if (around[i] || labels[i] === id) return;
    around[i] = 1;
    todo.push(i);
  };
  for (let x = 0; x < width; x++) reach(x), reach((height - 1) * width + x);
  for (let y = 0; y < height; y++) reach(y * width), reach(y * width + width - 1);
  while (todo.length) {
    const i = todo.pop();
    const x = i % width;
    if (x > 0) reach(i - 1);
    if (x < width - 1) reach(i + 1);
    if (i >= width) reach(i - width);
    if (i + width < labels.length) reach(i + width);
  }
  return around;
}
