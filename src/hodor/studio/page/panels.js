// Side bar and timeline: dragged by their edges, folded, and beside a portrait video where that is
// taller. What was chosen is kept in the browser.

import { byId } from "./elements.js";
import { on, state } from "./store.js";

const KEPT = "hodor-panels";
const STEP = 16; // px, of an arrow key
const LEAST_STAGE = 240; // px that stay for the frame, across
const kept = { sizes: {}, folded: {}, ...read() };

const isPortrait = () => Boolean(state.video && state.video.height > state.video.width);

/** By name: the part, its edge, its button, the variable of the style sheet, and its bounds. */
const PANELS = {
  side: {
    part: document.querySelector("aside"),
    least: () => (isPortrait() ? 440 : 220),
    most: () => innerWidth - 52 - LEAST_STAGE,
    sizeOf: (part) => part.clientWidth,
    towards: (event) => -event.clientX,
    keys: { ArrowLeft: STEP, ArrowRight: -STEP },
  },
  timeline: {
    part: byId("timeline"),
    least: () => 58,
    most: () => Math.round(innerHeight * 0.5),
    sizeOf: (part) => part.clientHeight,
    towards: (event) => -event.clientY,
    keys: { ArrowUp: STEP, ArrowDown: -STEP },
  },
};

export function startPanels() {
  for (const [name, panel] of Object.entries(PANELS)) {
    const edge = byId(`${name}-edge`);
    edge.addEventListener("pointerdown", (event) => drag(name, edge, event));
    edge.addEventListener("dblclick", () => foldPanel(name));
    edge.addEventListener("keydown", (event) => {
      if (!(event.key in panel.keys)) return;
      event.preventDefault();
      event.stopPropagation(); // arrows also go through frames
      resizeTo(name, panel.sizeOf(panel.part) + panel.keys[event.key]);
    });
    byId(`fold-${name}`).onclick = () => foldPanel(name);
  }
  on(["video"], apply);
  window.addEventListener("resize", apply);
  apply();
}

/** Folds a panel, or shows it again. */
export function foldPanel(name) {
  kept.folded[name] = !kept.folded[name];
  keep();
}

function drag(name, edge, event) {
  const { part, sizeOf, towards } = PANELS[name];
  const from = sizeOf(part) - towards(event);
  edge.setPointerCapture(event.pointerId);
  edge.onpointermove = (moved) => resizeTo(name, from + towards(moved));
  edge.onpointerup = edge.onpointercancel = () => {
    edge.onpointermove = null;
  };
}

/** A portrait video's side bar is another one, with the timeline in it: it keeps its own width. */
const kind = (name) => (name === "side" && isPortrait() ? "tall" : name);

function resizeTo(name, size) {
  kept.sizes[kind(name)] = size;
  keep();
}

function keep() {
  localStorage.setItem(KEPT, JSON.stringify(kept));
  apply();
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

function apply() {
  document.body.classList.toggle("portrait", isPortrait());
  for (const [name, { least, most, part, sizeOf }] of Object.entries(PANELS)) {
    const size = kept.sizes[kind(name)];
    const folded = Boolean(kept.folded[name]);
    document.body.classList.toggle(`no-${name}`, folded);
    if (size) document.body.style.setProperty(`--${name}`, `${Math.max(least(), Math.min(most(), size))}px`);
    else document.body.style.removeProperty(`--${name}`);
    byId(`fold-${name}`).setAttribute("aria-pressed", String(!folded));
    byId(`${name}-edge`).setAttribute("aria-valuenow", String(Math.round(sizeOf(part))));
  }
}
