// The frame around it all: title, tools, theme, and what is wrong.

import * as api from "./api.js";
import { attempt, redo, sendAll, undo } from "./edits.js";
import { all, byId } from "./elements.js";
import { on, state, update } from "./store.js";
import { trackFrom } from "./tracking.js";

export function startChrome() {
  for (const button of all("[data-tool]")) {
    button.onclick = () => update({ tool: button.dataset.tool });
  }
  byId("undo").onclick = undo;
  byId("redo").onclick = redo;
  byId("theme").onclick = turnTheme;
  byId("retry").onclick = retry;
  byId("brush-size").oninput = (event) => update({ brush: Number(event.target.value), brushChosen: true });
  byId("opacity").oninput = (event) => update({ opacity: Number(event.target.value) });
  on(["video", "folder"], drawTitle);
  on(["tool", "brush", "opacity", "clicks", "news", "offered"], drawTools);
  on(["tool", "frame", "selected"], () => state.news && update({ news: "" }));
  on(["undo", "redo", "online"], drawUndo);
  on(["online", "unsaved", "failure", "pages", "problem", "segmenting", "looking", "video"], drawTrouble);
  setTheme(localStorage.getItem("hodor-theme"));
  drawTools();
}

function drawTitle() {
  const { name, frames, width, height, fps } = state.video;
  byId("video-name").textContent = name;
  byId("video-facts").textContent = `${frames} frames · ${width} × ${height} · ${+fps.toFixed(2)} fps`;
  document.title = `${name} – hodor studio`;
  byId("video-name").title = state.video.path;
}

/** @type {Record<Tool, string>} */
const HINTS = {
  click: "Click the object (right button: what is not), or drag a box.",
  hand: "Drag to move, wheel to zoom.",
  brush: "Draw the object. Right button or Alt erases.",
  eraser: "Take away from the object.",
  polygon: "Click corners; Enter or a double click closes.",
  box: "Drag a box around the object.",
  strokes: "Stroke what is the object; right button or Alt for what is not. A mask that is there is mended.",
};

const OFFERED = "M shows others, Backspace takes a click back.";
const CLICKS = "Click the object; right button or Alt for what is not; drag a box. Enter takes the mask, M shows others, Backspace takes a click back.";

function drawTools() {
  for (const button of all("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === state.tool));
  }
  byId("hint").textContent = state.news || (state.offered ? OFFERED : HINTS[state.tool]);
  byId("hint").title = state.tool === "click" ? CLICKS : HINTS[state.tool];
  byId("take-mask").hidden = !state.offered;
  for (const button of all("[data-tool=box]")) button.hidden = state.clicks;
  for (const button of all("[data-tool=click]")) button.hidden = !state.clicks;
  byId("brush-size").value = state.brush;
  byId("brush-figure").textContent = `${state.brush} px`;
  byId("opacity").value = state.opacity;
  byId("brush-options").classList.toggle("off", !["brush", "eraser", "strokes"].includes(state.tool));
  byId("stage").dataset.tool = state.tool;
}

function drawUndo() {
  byId("undo").disabled = !state.undo || !state.online;
  byId("redo").disabled = !state.redo || !state.online;
}

/** One line says what is wrong and what to do; it lies over the stage, so that nothing moves. */
function drawTrouble() {
  const [text, again] = trouble();
  byId("trouble").classList.toggle("off", !text);
  byId("trouble-text").textContent = text;
  byId("retry").hidden = !again;
  byId("opening").hidden = Boolean(state.video);
  const parts = [];
  if (state.looking !== null) parts.push("Looking at the frame, once…");
  else if (state.segmenting) parts.push("Finding the object…");
  else if (state.unsaved) parts.push("Saving…");
  else if (state.online) parts.push("Saved");
  if (state.pages > 1) parts.push(`open in ${state.pages} tabs`);
  byId("saved").textContent = parts.join(" · ");
  byId("saved").classList.toggle("alert", !state.online || Boolean(state.failure));
}

/** A word as a shell takes it. */
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

function trouble() {
  if (!state.online && state.video) {
    const kept = state.unsaved ? " Your last strokes are kept here until then." : "";
    return [
      `The server is gone. Start it again with: hodor studio ${quoted(state.folder)} – this page goes on by itself.${kept}`,
      false,
    ];
  }
  if (state.failure) return [state.failure, true];
  if (state.problem) return [state.problem, false];
  return ["", false];
}

async function retry() {
  const tracking = state.failure?.startsWith("Tracking");
  update({ failure: null });
  if (state.unsaved) await sendAll();
  else if (tracking) await trackFrom("both");
  else await attempt(api.getState);
}

function turnTheme() {
  const dark = document.documentElement.dataset.theme === "dark";
  localStorage.setItem("hodor-theme", dark ? "light" : "dark");
  setTheme(dark ? "light" : "dark");
}

function setTheme(name) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = name ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  byId("theme").querySelector("use").setAttribute("href", `page/icons.svg#${theme === "dark" ? "sun" : "moon"}`);
  byId("theme").setAttribute("aria-label", theme === "dark" ? "Light theme" : "Dark theme");
  update({ theme });
}
