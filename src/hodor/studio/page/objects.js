// The list of objects: who is selected, shown, called what; and the labels of the timeline's lanes.

import * as api from "./api.js";
import { addObject, attempt } from "./edits.js";
import { byId } from "./elements.js";
import { on, state, update } from "./store.js";

const list = byId("objects");
const lanes = byId("lane-names");
const template = byId("object-row");

export function startObjects() {
  byId("add-object").onclick = addObject;
  on(["objects", "selected", "hidden"], drawList);
  on(["objects", "selected", "hidden", "about"], drawFigures);
}

export function toggleHidden(id) {
  const hidden = new Set(state.hidden);
  if (!hidden.delete(id)) hidden.add(id);
  update({ hidden });
}

/** Hides all objects, or shows them if all are hidden. */
export function toggleAll() {
  const all = state.objects.map((o) => o.id);
  update({ hidden: new Set(all.every((id) => state.hidden.has(id)) ? [] : all) });
}

/** Selects the object of a place in the list, from 0. */
export function selectPlace(place) {
  const object = state.objects[place];
  if (object) update({ selected: object.id });
}

function drawList() {
  // While a name is being typed, the list is left alone.
  if (list.contains(document.activeElement) && document.activeElement.matches("input[type=text]")) {
    if (list.children.length === state.objects.length) return markSelected();
  }
  list.replaceChildren(...state.objects.map(row));
  lanes.replaceChildren(...state.objects.map(laneName));
  byId("no-objects").hidden = state.objects.length > 0;
}

function markSelected() {
  for (const item of list.children) {
    item.classList.toggle("selected", Number(item.dataset.id) === state.selected);
  }
}

function row(object) {
  const item = template.content.firstElementChild.cloneNode(true);
  const [colour, name, figure, eye, bin] = item.children;
  item.dataset.id = object.id;
  item.classList.toggle("selected", object.id === state.selected);
  item.classList.toggle("hidden-object", state.hidden.has(object.id));
  item.onclick = () => update({ selected: object.id });
  colour.value = object.colour;
  colour.setAttribute("aria-label", `Colour of ${object.name}`);
  colour.onchange = () => attempt(() => api.changeObject(object.id, { colour: colour.value }));
  name.value = object.name;
  name.setAttribute("aria-label", `Name of object ${object.id}`);
  name.onfocus = () => update({ selected: object.id });
  name.onchange = async () => {
    if (!name.value.trim()) {
      name.value = object.name;
      return;
    }
    const done = await attempt(() => api.changeObject(object.id, { name: name.value }));
    if (!done) name.value = object.name;
  };
  name.onkeydown = (event) => {
    if (event.key === "Escape") name.value = object.name;
    if (event.key === "Enter" || event.key === "Escape") name.blur();
  };
  figure.dataset.figure = object.id;
  eye.setAttribute("aria-label", `Show ${object.name}`);
  eye.title = "Show or hide it (V; all: Shift V)";
  bin.title = "Delete it with all its masks; undo brings it back";
  eye.setAttribute("aria-pressed", String(!state.hidden.has(object.id)));
  eye.querySelector("use").setAttribute(
    "href",
    `page/icons.svg#${state.hidden.has(object.id) ? "eye-off" : "eye"}`,
  );
  eye.onclick = (event) => (event.stopPropagation(), toggleHidden(object.id));
  bin.setAttribute("aria-label", `Delete ${object.name}`);
  bin.onclick = (event) => (event.stopPropagation(), attempt(() => api.removeObject(object.id)));
  return item;
}

function laneName(object) {
  const item = document.createElement("button");
  item.className = "lane-name";
  item.classList.toggle("selected", object.id === state.selected);
  const dot = document.createElement("span");
  dot.className = "dot";
  dot.style.background = object.colour;
  item.append(dot, object.name);
  item.onclick = () => update({ selected: object.id });
  return item;
}

/** How sure each object is in this frame. */
function drawFigures() {
  for (const place of list.querySelectorAll("[data-figure]")) {
    const id = Number(place.dataset.figure);
    const value = state.about?.confidence[id];
    place.textContent = standing(id, value);
    place.classList.toggle("doubtful", value !== undefined && value < 0.5);
  }
}

function standing(id, value) {
  if (state.about?.gone.includes(id)) return "gone";
  if (state.about?.given.includes(id)) return "given";
  return value === undefined ? "" : value.toFixed(2);
}
