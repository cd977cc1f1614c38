// Playing, and the numbers beside it.

import { byId } from "./elements.js";
import { goTo, on, state, update } from "./store.js";
import { shown } from "./stage.js";
import { nextDoubt, nextGiven } from "./timeline.js";

/** @type {{time: number, frame: number} | null} */
let began = null; // of playing

export function startTransport() {
  const step = (by) => () => goTo(state.frame + by, { playing: false, follow: false });
  const jump = (find) => () => {
    const frame = find();
    if (frame !== null) goTo(frame, { playing: false, follow: false });
  };
  byId("first").onclick = () => goTo(0, { playing: false, follow: false });
  byId("last").onclick = () => goTo(Infinity, { playing: false, follow: false });
  byId("back").onclick = step(-1);
  byId("on").onclick = step(1);
  byId("play").onclick = togglePlay;
  byId("given-before").onclick = jump(() => nextGiven(-1));
  byId("given-after").onclick = jump(() => nextGiven(1));
  byId("doubt-before").onclick = jump(() => nextDoubt(-1));
  byId("doubt-after").onclick = jump(() => nextDoubt(1));
  byId("number").onchange = (event) => {
    goTo(Number(event.target.value) || 0, { playing: false, follow: false });
    event.target.value = state.frame;
    event.target.blur();
  };
  on(["frame", "video"], drawNumbers);
  on(["playing"], drawPlaying);
}

export function togglePlay() {
  if (!state.video) return;
  const end = state.frame >= state.video.frames - 1;
  update({ playing: !state.playing, follow: false, frame: end && !state.playing ? 0 : state.frame });
  if (state.playing) {
    began = { time: performance.now(), frame: state.frame };
    requestAnimationFrame(advance);
  }
}

/** Frames come at the video's speed; what cannot be shown in time is left out. */
function advance(now) {
  if (!state.playing) return;
  const due = began.frame + Math.floor(((now - began.time) / 1000) * state.video.fps);
  const ready = shown?.frame === state.frame;
  if (ready && due > state.frame) {
    // Never more than a few frames at once: rather slow than a slide show.
    const next = Math.min(due, state.frame + 3, state.video.frames - 1);
    if (next < due) began = { time: now, frame: next };
    update({ frame: next, playing: next < state.video.frames - 1 });
  }
  requestAnimationFrame(advance);
}

function drawPlaying() {
  byId("play").querySelector("use").setAttribute("href", `page/icons.svg#${state.playing ? "stop" : "play"}`);
  byId("play").setAttribute("aria-label", state.playing ? "Stop" : "Play");
}

function drawNumbers() {
  if (!state.video) return;
  const field = byId("number");
  if (document.activeElement !== field) field.value = state.frame;
  field.max = state.video.frames - 1;
  byId("of").textContent = `/ ${state.video.frames - 1}`;
  byId("time").textContent = clock(state.frame / state.video.fps);
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
}
