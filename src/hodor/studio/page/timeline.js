// A lane for each object: confidence as height, given masks as diamonds, what is out of date hatched.

import { byId } from "./elements.js";
import { tell } from "./notices.js";
import { goTo, on, selectedObject, state, update } from "./store.js";

export const LANE = 34; // px
const RULER = 24;
const EDGE = 8; // px beside the first and the last frame, for marks that are wider than a frame
const DOUBT = 0.5; // confidence under which a frame is marked
const canvas = byId("lanes");
/** @type {Pen} */
const pen = canvas.getContext("2d");
const box = byId("timeline");
const names = byId("lane-names");
const GAP = 8; // px between names and lanes
const span = { first: 0, last: 1 }; // frames shown, zoomed by the wheel

export function startTimeline() {
  new ResizeObserver(resize).observe(box);
  on(["video"], () => Object.assign(span, { first: 0, last: state.video.frames }));
  on(["objects", "video"], resize);
  on(["objects", "given", "gone", "stale", "curves", "frame", "selected", "hidden", "theme"], draw);
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", (event) => event.buttons & 1 && scrub(event));
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => update({ scrubbing: false }));
  }
  canvas.addEventListener("wheel", wheel, { passive: false });
}

/** The next frame, in a direction, at which the selected object begins to be doubtful; null, and
 * said, if there is none. */
export function nextDoubt(step) {
  const curve = state.curves[state.selected];
  const doubtful = (t) => curve?.[t] < DOUBT;
  for (let t = state.frame + step; t >= 0 && t < state.video.frames; t += step) {
    if (doubtful(t) && !(t > 0 && doubtful(t - 1))) return t;
  }
  const name = selectedObject()?.name ?? "The object";
  tell(`${name}: no ${step > 0 ? "further" : "earlier"} doubtful place.`);
  return null;
}

/** The next frame, in a direction, with a given mask of any object; null if none. */
export function nextGiven(step) {
  const frames = state.objects.flatMap((o) => [...(state.given[o.id] ?? [])]);
  const ahead = frames.filter((t) => step * (t - state.frame) > 0);
  return ahead.length ? ahead.reduce((a, b) => (step * (b - a) < 0 ? b : a)) : null;
}

function resize() {
  const width = Math.max(1, box.clientWidth - names.clientWidth - GAP);
  const height = RULER + Math.max(1, state.objects.length) * LANE;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.max(1, Math.round(width * devicePixelRatio));
  canvas.height = Math.round(height * devicePixelRatio);
  draw();
}

const outer = () => canvas.width / devicePixelRatio;
const width = () => Math.max(1, outer() - 2 * EDGE);
const xOf = (frame) => EDGE + ((frame + 0.5 - span.first) / (span.last - span.first)) * width();
const frameAt = (x) => Math.floor(span.first + ((x - EDGE) / width()) * (span.last - span.first));

function down(event) {
  if (!state.video) return;
  canvas.setPointerCapture(event.pointerId);
  const lane = Math.floor((event.offsetY - RULER) / LANE);
  if (lane >= 0 && state.objects[lane]) update({ selected: state.objects[lane].id });
  scrub(event);
}

function scrub(event) {
  goTo(frameAt(event.offsetX), { scrubbing: true, playing: false, follow: false });
}

function wheel(event) {
  if (!state.video) return;
  event.preventDefault();
  const { frames } = state.video;
  const length = span.last - span.first;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    slide(((event.deltaX || event.deltaY) / width()) * length);
  } else {
    const at = span.first + ((event.offsetX - EDGE) / width()) * length;
    const next = Math.max(Math.min(20, frames), Math.min(frames, length * Math.exp(event.deltaY * 0.002)));
    span.first = at - ((at - span.first) * next) / length;
    span.last = span.first + next;
    slide(0);
  }
  draw();
}

function slide(by) {
  const length = span.last - span.first;
  span.first = Math.max(0, Math.min(state.video.frames - length, span.first + by));
  span.last = span.first + length;
}

function draw() {
  if (!state.video) return;
  const ink = getComputedStyle(document.documentElement);
  const colour = (name) => ink.getPropertyValue(`--${name}`).trim();
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  pen.clearRect(0, 0, outer(), canvas.height);
  drawRuler(colour);
  state.objects.forEach((object, i) => drawLane(object, RULER + i * LANE, colour));
  drawHead(colour);
  canvas.setAttribute("aria-valuenow", String(state.frame));
  canvas.setAttribute("aria-valuemax", String(state.video.frames - 1));
}

function drawRuler(colour) {
  const length = span.last - span.first;
  const rough = (90 * length) / width();
  const unit = 10 ** Math.floor(Math.log10(rough));
  const every = Math.max(1, [1, 2, 5, 10].map((m) => m * unit).find((step) => step >= rough));
  pen.fillStyle = colour("muted");
  pen.strokeStyle = colour("line");
  pen.font = "11px system-ui, sans-serif";
  for (let t = Math.ceil(span.first / every) * every; t < span.last; t += every) {
    const x = xOf(t);
    pen.fillRect(Math.round(x), RULER - 6, 1, 6);
    const text = String(t);
    pen.fillText(text, Math.min(x + 4, outer() - pen.measureText(text).width - 2), RULER - 9);
  }
}

function drawLane(object, top, colour) {
  const selected = object.id === state.selected;
  pen.fillStyle = colour(selected ? "lane-selected" : "lane");
  pen.fillRect(0, top + 1, outer(), LANE - 2);
  pen.globalAlpha = state.hidden.has(object.id) ? 0.35 : 1;
  drawCurve(object, top, colour);
  drawStale(state.stale[object.id], top, colour);
  for (const frame of state.given[object.id] ?? []) {
    const gone = state.gone[object.id]?.includes(frame);
    drawMark(xOf(frame), top + LANE / 2, gone, object.colour, colour);
  }
  pen.globalAlpha = 1;
}

/** Each column of pixels shows the least confident of its frames: the eye is to find drift. */
function drawCurve(object, top, colour) {
  const curve = state.curves[object.id];
  if (!curve) return;
  const base = top + LANE - 3;
  const full = LANE - 7;
  const doubt = colour("doubt");
  const perPixel = (span.last - span.first) / width();
  const column = Math.max(1, 1 / perPixel);
  for (let x = 0; x < width(); x += column) {
    const first = Math.max(0, Math.floor(span.first + x * perPixel + 1e-6));
    const last = Math.max(first + 1, Math.floor(span.first + (x + column) * perPixel + 1e-6));
    let low = Infinity;
    for (let t = first; t < Math.min(last, curve.length); t++) if (curve[t] < low) low = curve[t];
    if (low === Infinity) continue;
    const height = Math.max(2, low * full);
    const across = Math.max(column - (column > 5 ? 1 : 0), 1);
    pen.fillStyle = object.colour;
    pen.fillRect(EDGE + x, base - height, across, height);
    if (low >= DOUBT) continue;
    pen.fillStyle = doubt;
    pen.fillRect(EDGE + x, top + 3, across, 4);
  }
}

function drawStale(stale, top, colour) {
  if (!stale) return;
  pen.fillStyle = hatch(colour("stale"));
  const last = Math.min(stale.length, Math.ceil(span.last));
  for (let t = Math.max(0, Math.floor(span.first)); t < last; t++) {
    if (!stale[t]) continue;
    let end = t;
    while (end + 1 < last && stale[end + 1]) end++;
    pen.fillRect(xOf(t - 0.5), top + 3, xOf(end + 0.5) - xOf(t - 0.5), LANE - 6);
    t = end;
  }
}

const hatches = new Map();

function hatch(ink) {
  if (!hatches.has(ink)) {
    const tile = new OffscreenCanvas(8, 8);
    const brush = tile.getContext("2d");
    brush.strokeStyle = ink;
    brush.lineWidth = 1.2;
    for (const offset of [-8, 0, 8]) {
      brush.moveTo(offset, 8);
      brush.lineTo(offset + 8, 0);
    }
    brush.stroke();
    hatches.set(ink, pen.createPattern(tile, "repeat"));
  }
  return hatches.get(ink);
}

function drawMark(x, y, gone, fill, colour) {
  pen.beginPath();
  pen.moveTo(x, y - 7);
  pen.lineTo(x + 7, y);
  pen.lineTo(x, y + 7);
  pen.lineTo(x - 7, y);
  pen.closePath();
  pen.fillStyle = gone ? colour("panel") : "#fff";
  pen.fill();
  pen.lineWidth = 2;
  pen.strokeStyle = gone ? fill : "rgba(0,0,0,.7)";
  pen.stroke();
}

function drawHead(colour) {
  const x = xOf(state.frame);
  pen.fillStyle = colour("head");
  pen.fillRect(x - 0.75, 8, 1.5, canvas.height);
  pen.beginPath();
  pen.moveTo(x - 6, 2);
  pen.lineTo(x + 6, 2);
  pen.lineTo(x + 6, 9);
  pen.lineTo(x, 15);
  pen.lineTo(x - 6, 9);
  pen.closePath();
  pen.fill();
}
