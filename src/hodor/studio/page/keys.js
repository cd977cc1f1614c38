// What keys do: one table, for the page and for its dialog.

import { dropPrompt, forgetPrompts, nextMask, takeMask } from "./clicks.js";
import { addObject, redo, settled, undo } from "./edits.js";
import { byId } from "./elements.js";
import { keepMask, sayGone, takeBack } from "./frame-panel.js";
import { openExport } from "./dialogs.js";
import { foldPanel } from "./panels.js";
import { selectPlace, toggleAll, toggleHidden } from "./objects.js";
import { copyOn, fillHoles } from "./mending.js";
import { draw, sizeBrush } from "./stage.js";
import { goTo, state, update } from "./store.js";
import { nextDoubt, nextGiven } from "./timeline.js";
import { closePolygon, dropCorner, forgetMarks } from "./tools.js";
import { togglePause, trackFrom } from "./tracking.js";
import { togglePlay } from "./transport.js";
import { fit, zoom } from "./view.js";

const canvas = byId("stage");
const step = (by) => goTo(state.frame + by, { playing: false, follow: false });
const jump = (frame) => frame !== null && goTo(frame, { playing: false, follow: false });
/** @type {(tool: Tool) => void} */
const take = (tool) => update({ tool });
const size = (by) => update({ brush: Math.max(1, Math.min(400, Math.round(state.brush * by) + Math.sign(by - 1) * Number(state.brush < 6))), brushChosen: true });

function zoomBy(factor) {
  zoom(factor, canvas.width / 2, canvas.height / 2);
  sizeBrush();
  draw();
}

function showAll() {
  fit(canvas, state.video);
  sizeBrush();
  draw();
}

const later = () => {
  if (!dropCorner() && !dropPrompt()) takeBack();
};

const giveUp = () => {
  forgetMarks();
  forgetPrompts();
};

/** By a network where there is one, else by colour. */
const takeBox = () => take(state.clicks ? "click" : "box");

const newObject = async () => {
  await takeMask();
  await settled();
  await addObject();
};

const enter = async () => {
  await settled();
  if (!closePolygon() && !(await takeMask())) keepMask();
};

/** Groups of [names, {key: what it does}, what is said of it].
 * @type {[string, [string, Record<string, () => void>, string][]][]} */
export const KEYS = [
  ["Moving", [
    ["← / →", { ArrowLeft: () => step(-1), ArrowRight: () => step(1) }, "One frame back or on"],
    ["Shift ← / Shift →", { "Shift+ArrowLeft": () => step(-10), "Shift+ArrowRight": () => step(10) }, "Ten frames"],
    ["Home / End", { Home: () => jump(0), End: () => jump(Infinity) }, "First or last frame"],
    ["Space", { " ": togglePlay }, "Play or stop"],
    ["[ / ]", { "[": () => jump(nextGiven(-1)), "]": () => jump(nextGiven(1)) }, "Given mask before or after"],
    ["Shift D / D", { "Shift+D": () => jump(nextDoubt(-1)), d: () => jump(nextDoubt(1)) }, "Doubtful place before or after"],
  ]],
  ["Drawing", [
    ["B", { b: () => take("brush") }, "Brush (right button or Alt erases)"],
    ["E", { e: () => take("eraser") }, "Eraser"],
    ["P", { p: () => take("polygon") }, "Polygon (Enter or a double click closes it)"],
    ["C", { c: () => state.clicks && take("click") }, "Click on the object (right button or Alt: not the object; drag a box)"],
    ["Enter / Backspace", {}, "Take the mask that is offered; take the last click back"],
    ["M", { m: nextMask }, "Next mask that the click may mean: whole, part, smaller part"],
    ["R", { r: takeBox }, "From a box around the object"],
    ["S", { s: () => take("strokes") }, "From strokes, by colour (right button or Alt: not the object)"],
    ["H", { h: () => take("hand") }, "Hand: move the picture (also the middle button)"],
    [", / .", { ",": () => size(1 / 1.2), ".": () => size(1.2) }, "Smaller or larger brush"],
    ["F", { f: fillHoles }, "Fill the mask's holes"],
    ["Shift C", { "Shift+C": copyOn }, "Copy this mask to the next frame"],
    ["Esc", { Escape: giveUp }, "Give up clicks, a polygon or strokes"],
    ["Ctrl Z / Ctrl Shift Z", { "Ctrl+z": undo, "Ctrl+Shift+Z": redo, "Ctrl+y": redo }, "Undo or redo"],
  ]],
  ["Objects", [
    ["N", { n: newObject }, "New object"],
    ["1 … 9", Object.fromEntries([...Array(9).keys()].map((i) => [String(i + 1), () => selectPlace(i)])), "Select an object"],
    ["V", { v: () => state.selected && toggleHidden(state.selected) }, "Show or hide it"],
    ["Shift V", { "Shift+V": toggleAll }, "Show or hide all"],
    ["O (hold)", { o: () => update({ bare: true }) }, "The frame without masks, while it is held"],
    ["Enter", { Enter: enter }, "Keep the tracked mask as given"],
    ["Del", { Delete: takeBack, Backspace: later }, "Take back the given mask"],
    ["G", { g: sayGone }, "Gone from this frame on"],
  ]],
  ["Tracking", [
    ["T", { t: () => trackFrom("both") }, "Track all that is out of date"],
    ["Shift T", { "Shift+T": () => trackFrom("forward") }, "Track forward from here"],
    ["Shift R", { "Shift+R": () => trackFrom("backward") }, "Track backward from here"],
    ["K", { k: togglePause }, "Pause or go on"],
  ]],
  ["Page", [
    ["+ / − / 0", { "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: showAll }, "Zoom in, out, show all (also the wheel)"],
    ["Shift B / Shift L", { "Shift+B": () => foldPanel("side"), "Shift+L": () => foldPanel("timeline") }, "Show or fold the side bar, the timeline's lanes"],
    ["X", { x: openExport }, "Export"],
    ["?", { "?": () => byId("keys").showModal() }, "This list"],
  ]],
];

export function startKeys() {
  const actions = Object.assign({}, ...KEYS.flatMap(([, keys]) => keys.map(([, map]) => map)));
  byId("fit").onclick = showAll;
  document.addEventListener("keyup", (event) => event.key.toLowerCase() === "o" && update({ bare: false }));
  document.addEventListener("keydown", (event) => {
    if (!state.video || document.querySelector("dialog[open]")) return;
    const at = /** @type {Element} */ (event.target);
    if (at.matches("input[type=text], input[type=number]")) return;
    // Buttons and sliders keep the keys that are theirs.
    const own = at.matches("button, a") && [" ", "Enter"].includes(event.key);
    const slides = at.matches("input[type=range]") && event.key.startsWith("Arrow");
    if (own || slides) return;
    const action = actions[name(event)];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function name(event) {
  const control = event.ctrlKey || event.metaKey;
  const letter = /^[a-z]$/i.test(event.key);
  const key = letter ? (event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase()) : event.key;
  const shift = event.shiftKey && (letter || event.key.startsWith("Arrow"));
  return `${control ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${key}`;
}
