// The frame with its masks, and the tools' marks on it.

import { byId } from "./elements.js";
import { fetchAhead, pictureOf, setWidth } from "./frames.js";
import { labelsOf } from "./labels.js";
import { tell } from "./notices.js";
import { on, state, update } from "./store.js";
import { fit, view } from "./view.js";

const canvas = byId("stage");
/** @type {Pen} */
const context = canvas.getContext("2d");
const masks = document.createElement("canvas");
const zoomFigure = byId("zoom");
/** @type {((pen: Pen, scale: number) => void)[]} */
const overlays = []; // functions that draw over the frame
/** @type {ImageData | null} */
let image = null;

/** What is on the screen.
 * @type {Shown | null} */
export let shown = null;
let loading = false;
let wanted = false;
let lastFrame = 0;

export function startStage() {
  new ResizeObserver(resize).observe(canvas.parentElement);
  on(["frame", "labelsChanged", "video", "scrubbing", "online"], load);
  on(["objects", "hidden", "selected", "opacity"], repaint);
  on(["tool", "brush", "bare"], draw);
}

/** Lets a tool draw over the frame, in pixels of the frame.
 * @type {(paint: (pen: Pen, scale: number) => void) => void} */
export function drawOver(paint) {
  overlays.push(paint);
}

function resize() {
  const box = canvas.parentElement.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width * devicePixelRatio));
  canvas.height = Math.max(1, Math.round(box.height * devicePixelRatio));
  if (!state.video) return;
  setWidth(Math.min(state.video.width, canvas.width));
  if (view.fitted) fit(canvas, state.video);
  sizeBrush();
  draw();
}

const BRUSH_SHARE = 0.03; // of the shorter side of what is visible
const THINNEST = 4; // px

/** Until the user chooses a width, the brush goes by what is visible. */
export function sizeBrush() {
  if (state.brushChosen || !state.video) return;
  const across = Math.min(state.video.width, canvas.width / view.scale);
  const down = Math.min(state.video.height, canvas.height / view.scale);
  update({ brush: Math.max(THINNEST, Math.round(BRUSH_SHARE * Math.min(across, down))) });
}

/** Loads what is wanted now; one at a time, so that scrubbing never piles up. */
async function load() {
  if (!state.video || !state.online || state.drawing) return;
  if (loading) {
    wanted = true;
    return;
  }
  loading = true;
  try {
    do {
      wanted = false;
      await show(state.frame, state.scrubbing);
    } while (!state.drawing && (wanted || !settled()));
  } catch (problem) {
    if (!problem.offline) failed(problem);
  } finally {
    loading = false;
  }
}

const settled = () => state.scrubbing || (shown?.frame === state.frame && shown.exact);

async function show(frame, quick) {
  const picture = await pictureOf(frame, quick);
  const { labels, about } = await labelsOf(picture.number);
  if (state.drawing) return; // loaded again when the stroke has ended
  const first = shown === null;
  shown = { frame: picture.number, bitmap: picture.bitmap, labels, about, exact: !quick };
  if (first) resize();
  document.body.dataset.shown = String(picture.number);
  update({ about: picture.number === state.frame ? about : null, problem: null });
  repaint();
  if (!quick && !state.playing) fetchAhead(frame, frame >= lastFrame ? 1 : -1);
  lastFrame = frame;
}

function failed(problem) {
  shown = null;
  update({ about: null, problem: problem.message });
  tell(problem.message, "error");
  draw();
}

/** Paints the masks anew, after they or their colours changed. */
export function repaint() {
  if (!shown) return draw();
  const { width, height } = state.video;
  if (masks.width !== width || masks.height !== height) {
    masks.width = width;
    masks.height = height;
    image = null;
  }
  const pen = masks.getContext("2d");
  image ??= pen.createImageData(width, height);
  paintMasks(new Uint32Array(image.data.buffer), shown.labels, width, height);
  pen.putImageData(image, 0, 0);
  draw();
}

function paintMasks(pixels, labels, width, height) {
  const [fill, line] = colours();
  const last = width * height;
  for (let i = 0, x = 0; i < last; i++, x++) {
    if (x === width) x = 0;
    const id = labels[i];
    if (id === 0) {
      pixels[i] = 0;
      continue;
    }
    const edge =
      (x > 0 && labels[i - 1] !== id) ||
      (x < width - 1 && labels[i + 1] !== id) ||
      (i >= width && labels[i - width] !== id) ||
      (i + width < last && labels[i + width] !== id);
    pixels[i] = edge ? line[id] : fill[id];
  }
}

/** By id: the colour of a mask's inside and of its edge, as bytes of RGBA. */
function colours() {
  const fill = new Uint32Array(256);
  const line = new Uint32Array(256);
  for (const { id, colour } of state.objects) {
    if (state.hidden.has(id)) continue;
    const rgb = Number.parseInt(colour.slice(1), 16);
    const bgr = ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16);
    const opacity = Math.round(2.55 * state.opacity * (id === state.selected ? 1 : 0.8));
    fill[id] = ((opacity << 24) | bgr) >>> 0;
    line[id] = ((Math.min(255, opacity + 130) << 24) | bgr) >>> 0;
  }
  return [fill, line];
}

/** Draws what is there. */
export function draw() {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!shown || !state.video) return;
  const { width, height } = state.video;
  context.setTransform(view.scale, 0, 0, view.scale, view.left, view.top);
  context.imageSmoothingEnabled = view.scale < 3;
  context.drawImage(shown.bitmap, 0, 0, width, height);
  zoomFigure.textContent = `${Math.round((100 * view.scale) / devicePixelRatio)} %`;
  if (state.bare) return;
  context.drawImage(masks, 0, 0);
  for (const paint of overlays) paint(context, view.scale);
}
