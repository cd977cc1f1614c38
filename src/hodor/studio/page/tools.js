// The tools on the stage: each takes the pointer down, along and up, and may draw its marks.

import { segment } from "./api.js";
import { addBox, addClick, forgetPrompts } from "./clicks.js";
import { attempt, byHand, making, prepareEdit, replaceMask, save } from "./edits.js";
import { byId } from "./elements.js";
import { hover } from "./hover.js";
import { decode } from "./runs.js";
import { polygon, stroke } from "./masks.js";
import { draw, drawOver, repaint, shown, sizeBrush } from "./stage.js";
import { on, selectedObject, state, update } from "./store.js";
import { pan, place, view, zoom } from "./view.js";

const canvas = byId("stage");
/** @type {Place | null} */
let pointer = null; // where it is over the stage
/** @type {{tool: Use | null, last: Place, begun?: boolean, way?: Place[], ended?: boolean} | null} */
let dragging = null; // while a button is down
/** @type {Point[]} */
let corners = []; // of the polygon that is being drawn
let prompt = emptyPrompt(); // box and strokes for the frame and object that are shown

const colour = () => selectedObject()?.colour ?? "#3ea6ff";

/** Brush and eraser: the erasing one also with the right button or Alt.
 * @type {Use} */
const brush = {
  down(at, erase) {
    this.erase = erase;
    this.move(at, at);
  },
  move(at, last) {
    const { labels } = shown;
    const id = state.selected;
    const how = making();
    const apply = (i) => {
      byHand(how, i, this.erase);
      if (!this.erase) labels[i] = id;
      else if (labels[i] === id) labels[i] = 0;
    };
    stroke(state.video, last, at, state.brush / 2, apply);
    repaint();
  },
  up: save,
};

/** Clicks and boxes of the promptable network; nothing is drawn before it is taken.
 * @type {Use} */
const click = {
  noObject: true,
  down(at, outside) {
    Object.assign(this, { from: at, to: at, outside });
  },
  move(at) {
    this.to = at;
    draw();
  },
  up() {
    const { from, to, outside } = this;
    this.from = null;
    const dragged = Math.hypot(to.cx - from.cx, to.cy - from.cy) > 6 * devicePixelRatio;
    if (!dragged || outside) addClick(from, !outside);
    else addBox([Math.min(from.x, to.x), Math.min(from.y, to.y), Math.max(from.x, to.x), Math.max(from.y, to.y)]);
  },
};

/** @type {Record<Tool, Use>} */
const tools = {
  hand: {},
  click,
  brush,
  eraser: { ...brush, down: (at) => brush.down(at, true), move: brush.move.bind(brush) },
  polygon: {
    noObject: true,
    down(at) {
      const closes = corners.length > 2 && near(at, corners[0]);
      if (closes) closePolygon();
      else corners.push({ x: at.x, y: at.y });
      draw();
    },
  },
  box: {
    noObject: true,
    down(at) {
      prompt = { ...prompt, box: [at.x, at.y, at.x, at.y] };
    },
    move(at) {
      prompt.box.splice(2, 2, at.x, at.y);
      draw();
    },
    up() {
      const [left, top, right, bottom] = prompt.box;
      if (Math.abs(right - left) < 3 || Math.abs(bottom - top) < 3) prompt = { ...prompt, box: null };
      else askForMask();
      draw();
    },
  },
  strokes: {
    noObject: true,
    down(at, outside) {
      this.line = { points: [[at.x, at.y]], width: state.brush };
      (outside ? prompt.outside : prompt.inside).push(this.line);
      draw();
    },
    move(at) {
      this.line.points.push([at.x, at.y]);
      draw();
    },
    // A mask that is there is mended; strokes alone begin a new one.
    up() {
      if (prompt.box || prompt.inside.length || state.selected !== null) askForMask({ mend: state.selected });
    },
  },
};

export function startTools() {
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("dblclick", closePolygon);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", wheel, { passive: false });
  drawOver(drawMarks);
  on(["frame", "selected", "tool"], leaveMarks);
}

/** Marks belong to one object in one frame; a box and strokes together. */
/** @type {{frame?: number, selected?: number, tool?: Tool}} */
let left = {};
function leaveMarks() {
  const { frame, selected, tool } = state;
  const moved = left.frame !== frame || (left.selected !== selected && left.selected !== null);
  const turned = left.tool !== tool && !(AT_ONCE.has(tool) && AT_ONCE.has(left.tool));
  left = { frame, selected, tool };
  if (moved || turned) forgetMarks();
  if (turned) forgetPrompts();
}
const AT_ONCE = new Set(["box", "strokes"]);

/** Gives up a polygon, a box, strokes; true if there was anything to give up. */
export function forgetMarks() {
  const any = corners.length || prompt.box || prompt.inside.length || prompt.outside.length;
  corners = [];
  prompt = emptyPrompt();
  draw();
  return Boolean(any);
}

/** The box and the strokes that were shown, for the frame and object of the moment. */
export const marks = () => prompt;

/** Takes back the polygon's last corner; true if there was one. */
export function dropCorner() {
  const had = corners.pop() !== undefined;
  draw();
  return had;
}

/** Fills the polygon that is being drawn; true if there was one. */
export function closePolygon() {
  if (state.tool !== "polygon" || corners.length < 3 || !shown) return false;
  const points = corners;
  corners = [];
  fillPolygon(points);
  return true;
}

async function fillPolygon(points) {
  if (!(await prepareEdit())) return;
  const { labels } = shown;
  const how = making();
  polygon(state.video, points, (i) => {
    byHand(how, i, false);
    labels[i] = state.selected;
  });
  repaint();
  save();
}

/** @type {() => Drawn} */
function emptyPrompt() {
  return { box: null, inside: [], outside: [] };
}

const near = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) * view.scale < 10 * devicePixelRatio;

async function down(event) {
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  hover(null);
  const at = place(event, canvas);
  if (state.tool === "hand" || event.button === 1) {
    dragging = { tool: null, last: at };
    return;
  }
  const started = { tool: tools[state.tool], last: at, begun: false, way: [], ended: false };
  dragging = started;
  const other = event.button === 2 || event.altKey;
  if (!(await prepareEdit(started.tool))) return;
  started.begun = true;
  update({ drawing: true });
  started.tool.down(at, other);
  // A first stroke makes its object, which takes a moment: what was drawn meanwhile is made good.
  started.way.forEach((point, i) => started.tool.move?.(point, started.way[i - 1] ?? at));
  if (started.ended) finish(started);
}

function move(event) {
  const at = place(event, canvas);
  pointer = at;
  if (dragging && dragging.tool === null) {
    pan(at.cx - dragging.last.cx, at.cy - dragging.last.cy);
  } else if (dragging?.begun) {
    dragging.tool.move?.(at, dragging.last);
  } else if (dragging) {
    dragging.way.push(at);
  }
  if (dragging) dragging.last = at;
  hover(dragging ? null : at);
  draw();
}

function leave() {
  pointer = null;
  hover(null);
  draw();
}

function up() {
  const ended = dragging;
  dragging = null;
  if (ended?.begun) finish(ended);
  else if (ended) ended.ended = true;
}

function finish(ended) {
  ended.tool.up?.();
  // Masks that came in the meantime were left aside.
  update({ drawing: false, labelsChanged: performance.now() });
}

function wheel(event) {
  event.preventDefault();
  const { cx, cy } = place(event, canvas);
  zoom(Math.exp(-event.deltaY * 0.0015), cx, cy);
  sizeBrush();
  draw();
}

async function askForMask(more = {}) {
  const [frame, id] = [state.frame, state.selected];
  update({ segmenting: state.segmenting + 1 });
  const runs = await attempt(() => segment(frame, { ...prompt, ...more }));
  update({ segmenting: state.segmenting - 1 });
  const still = runs && state.frame === frame && state.selected === id && shown?.frame === frame;
  if (still && (await prepareEdit())) replaceMask(decode(runs, shown.labels.length));
}

function drawMarks(pen, scale) {
  const thin = (1.5 * devicePixelRatio) / scale;
  pen.lineWidth = thin;
  pen.lineJoin = pen.lineCap = "round";
  drawPolygon(pen, thin);
  drawPrompt(pen, thin);
  if (click.from && state.tool === "click") drawDragged(pen, thin);
  const round = ["brush", "eraser", "strokes"].includes(state.tool);
  if (pointer && round) outline(pen, () => pen.arc(pointer.x, pointer.y, state.brush / 2, 0, 7), thin);
}

function drawDragged(pen, thin) {
  const { from, to } = click;
  outline(pen, () => pen.rect(from.x, from.y, to.x - from.x, to.y - from.y), thin);
}

function drawPolygon(pen, thin) {
  if (!corners.length) return;
  const all = pointer ? [...corners, pointer] : corners;
  outline(pen, () => all.forEach((p, i) => (i ? pen.lineTo(p.x, p.y) : pen.moveTo(p.x, p.y))), thin);
  pen.fillStyle = "#fff";
  for (const { x, y } of corners) {
    pen.beginPath();
    pen.arc(x, y, 2.5 * thin, 0, 7);
    pen.fill();
  }
}

function drawPrompt(pen, thin) {
  if (prompt.box) {
    const [left, top, right, bottom] = prompt.box;
    outline(pen, () => pen.rect(left, top, right - left, bottom - top), thin);
  }
  if (state.tool !== "strokes") return;
  drawStrokes(pen, prompt.inside, "#3ddc84");
  drawStrokes(pen, prompt.outside, "#ff5252");
}

/** @type {(pen: Pen, strokes: Stroke[], ink: string) => void} */
function drawStrokes(pen, strokes, ink) {
  pen.strokeStyle = ink;
  pen.globalAlpha = 0.55;
  for (const { points, width } of strokes) {
    pen.lineWidth = width;
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (points.length === 1) pen.lineTo(points[0][0] + 0.01, points[0][1]);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

/** A line that can be seen on anything: dark around the object's colour. */
function outline(pen, path, thin) {
  for (const [ink, width] of [["rgba(0,0,0,.65)", 3 * thin], [colour(), thin]]) {
    pen.strokeStyle = ink;
    pen.lineWidth = width;
    pen.beginPath();
    path();
    pen.stroke();
  }
}
