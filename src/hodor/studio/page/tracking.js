// Tracking and exports under way: buttons, progress, speed, time left.

import * as api from "./api.js";
import { attempt } from "./edits.js";
import { byId } from "./elements.js";
import { tell } from "./notices.js";
import { isBusy, on, state, update } from "./store.js";

/** @type {Record<string, "forward" | "backward" | "both">} */
const ways = { "track-back": "backward", "track-all": "both", "track-on": "forward" };
let told = null; // how the last job that was told of ended
let warned = []; // what the last job warned of

export function startTracking() {
  for (const [id, way] of Object.entries(ways)) byId(id).onclick = () => trackFrom(way);
  byId("pause").onclick = togglePause;
  byId("cancel").onclick = cancel;
  byId("follow").onchange = (event) => update({ follow: event.target.checked });
  on(["job", "stale", "objects", "follow", "online", "frame"], draw);
}

/** Tracks forward, backward or both ways from the frame that is shown.
 * @type {(way: "forward" | "backward" | "both") => Promise<unknown>} */
export function trackFrom(way) {
  update({ follow: true });
  return attempt(() => api.track(way, state.frame));
}

export function togglePause() {
  if (isBusy()) attempt(() => api.moveJob(state.job.state === "paused" ? "go_on" : "pause"));
}

export function cancel() {
  if (isBusy()) attempt(() => api.moveJob("cancel"));
}

function draw() {
  const busy = isBusy() && state.online;
  const job = state.job;
  byId("follow").checked = state.follow;
  byId("idle").classList.toggle("off", busy);
  byId("busy").classList.toggle("off", !busy);
  if (busy) drawBusy(job);
  else drawIdle();
  announceWarnings(job);
  announce(job);
}

function drawBusy(job) {
  const paused = job.state === "paused";
  byId("job-name").textContent = names(job);
  byId("bar").value = job.total ? job.done / job.total : 0;
  byId("bar").classList.toggle("waiting", job.total === 0);
  byId("job-figures").textContent = figures(job);
  byId("pause").textContent = paused ? "Go on" : "Pause";
}

function names(job) {
  if (job.state === "starting") return job.kind === "track" ? "Loading the model…" : "Starting…";
  if (job.state === "paused") return "Paused";
  return job.kind === "track" ? `Tracking frame ${job.frame ?? ""}` : "Exporting";
}

function figures(job) {
  const parts = [`${job.done} of ${job.total}`];
  if (job.speed && job.state === "running") parts.push(`${job.speed.toFixed(1)} frames/s`);
  if (job.left !== null && job.state === "running") parts.push(`${duration(job.left)} left`);
  return job.total ? parts.join(" · ") : "";
}

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function drawIdle() {
  const stale = Object.values(state.stale);
  const count = (first, last) => {
    let frames = 0;
    for (let t = first; t <= last; t++) if (stale.some((one) => one[t])) frames++;
    return frames;
  };
  const last = (state.video?.frames ?? 1) - 1;
  const [before, after] = [count(0, state.frame), count(state.frame, last)];
  byId("track-back").disabled = !before || !state.online;
  byId("track-on").disabled = !after || !state.online;
  byId("track-all").disabled = !(before || after) || !state.online;
  byId("to-do").textContent = toDo(before + after);
}

function toDo(frames) {
  if (!Object.keys(state.stale).length) return "Give an object a mask in any frame.";
  if (!frames) return "All masks are up to date.";
  return `${frames} ${frames === 1 ? "frame" : "frames"} to track.`;
}

/** Says once how a job ended. */
function announce(job) {
  const key = job && `${job.kind} ${job.state} ${job.message}`;
  if (key === told) return;
  const before = told;
  told = key;
  if (before === null || !job) return; // it ended before this page was opened
  const what = job.kind === "track" ? "Tracking" : "Export";
  if (job.state === "failed") update({ failure: `${what} stopped: ${job.message}` });
  if (job.state === "cancelled") tell(`${what} was cancelled; what was done stays.`);
  if (job.state === "done" && job.kind === "track") tell("Tracking is done.");
  if (job.state === "running") update({ failure: null });
}

/** Says once what a job warns of, when it does. */
function announceWarnings(job) {
  const warnings = job?.warnings ?? [];
  const past = told === null && !isBusy(); // it ended before this page was opened
  for (const warning of warnings) if (!past && !warned.includes(warning)) tell(warning, "warning");
  warned = warnings;
}
