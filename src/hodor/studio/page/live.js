// What happens on the server, as it happens; and coming back when the server was away.

import * as api from "./api.js";
import { forgetLabels } from "./labels.js";
import { state, takeMarks, takeObjects, update } from "./store.js";

const LONGEST_WAIT = 4000; // ms between attempts
let wait = 250;

/** Keeps a connection, for ever. `arrived`: called whenever the state was read anew. */
export function connect(arrived) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${api.base}api/live`);
  socket.onmessage = (message) => take(JSON.parse(message.data));
  socket.onopen = async () => {
    try {
      await readAll();
      wait = 250;
      update({ online: true });
      arrived();
    } catch {
      socket.close();
    }
  };
  socket.onclose = () => {
    update({ online: false, playing: false });
    setTimeout(() => connect(arrived), wait);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  };
}

/** Reads the whole state, as after opening the page. */
export async function readAll() {
  const [all, known] = await Promise.all([api.getState(), api.getCurves()]);
  const { video, folder, model, job, exports, clicks } = all;
  const begins = !state.video;
  update({ video, folder, model, job, exports, clicks, lookedAt: null });
  if (begins && clicks) update({ tool: "click" });
  /** @type {ById<Float32Array>} */
  const curves = {};
  for (const [id, values] of Object.entries(known)) {
    curves[id] = Float32Array.from(values, (value) => value ?? NaN);
  }
  update({ curves });
  takeObjects(all.objects);
  if (begins && location.hash) update({ selected: leastSure() ?? state.selected });
  takeMarks(all);
  forgetLabels();
}

/** Who opens the page at a frame has come for what is doubtful there. */
function leastSure() {
  const sure = (object) => state.curves[object.id]?.[state.frame];
  const known = state.objects.filter((object) => sure(object) >= 0);
  return known.sort((a, b) => sure(a) - sure(b))[0]?.id;
}

function take(event) {
  if (!state.video) return;
  const events = { edit, marks: takeMarks, result, job: takeJob, pages };
  events[event.type]?.(event);
}

function edit(event) {
  takeObjects(event.objects);
  takeMarks(event);
  forgetLabels(event.frame);
}

function result(event) {
  const curves = { ...state.curves };
  for (const [id, confidence] of Object.entries(event.confidence)) {
    curves[id] ??= new Float32Array(state.video.frames).fill(NaN);
    curves[id][event.frame] = confidence;
    if (state.stale[id]) state.stale[id][event.frame] = 0;
  }
  update({ curves });
  forgetLabels(event.frame);
  if (state.follow && !state.playing && !state.scrubbing) update({ frame: event.frame });
}

function takeJob(event) {
  update({ job: event.job });
}

function pages(event) {
  update({ pages: event.pages });
}
