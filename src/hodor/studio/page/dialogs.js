// Dialogs: what to export, and the keys.

import * as api from "./api.js";
import { attempt } from "./edits.js";
import { all, byId } from "./elements.js";
import { cancel } from "./tracking.js";
import { isBusy, on, state } from "./store.js";

let asked = []; // formats of the last export from this page

export function startDialogs(keys) {
  fillKeys(keys);
  for (const dialog of all("dialog")) {
    dialog.querySelector("[data-close]").onclick = () => dialog.close();
    // A click beside a dialog closes it.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  byId("open-keys").onclick = () => byId("keys").showModal();
  byId("open-export").onclick = openExport;
  byId("export-start").onclick = startExport;
  byId("export-cancel").onclick = cancel;
  on(["job", "exports"], drawExport);
}

export function openExport() {
  fillFormats();
  drawExport();
  byId("export").showModal();
}

function fillFormats() {
  if (byId("formats").childElementCount === state.exports.length) return;
  byId("formats").replaceChildren(
    ...state.exports.map(({ name, title, about }, i) => {
      const label = document.createElement("label");
      label.className = "format";
      const box = Object.assign(document.createElement("input"), {
        type: "checkbox",
        value: name,
        checked: i === 0,
      });
      box.onchange = drawExport;
      const words = document.createElement("span");
      const head = Object.assign(document.createElement("strong"), { textContent: title });
      words.append(head, Object.assign(document.createElement("small"), { textContent: about }));
      label.append(box, words);
      return label;
    }),
  );
}

const chosen = () => [...byId("formats").querySelectorAll("input:checked")].map((box) => box.value);

async function startExport() {
  asked = chosen();
  byId("downloads").replaceChildren();
  await attempt(() => api.exportAs(asked));
}

function drawExport() {
  const job = state.job?.kind === "export" ? state.job : null;
  const busy = isBusy();
  byId("export-start").disabled = busy || chosen().length === 0;
  byId("export-cancel").disabled = !(busy && job);
  const bar = byId("export-bar");
  bar.value = job?.total ? job.done / job.total : 0;
  byId("export-text").textContent = exportText(job, busy);
  if (job?.state === "done" && asked.length) fillDownloads();
}

function exportText(job, busy) {
  if (busy && !job) return "Tracking is under way: export when it is done.";
  if (!job || !asked.length) return `Files go to ${state.folder}/exports`;
  if (job.state === "done") return `Done: in ${state.folder}/exports`;
  if (job.state === "failed") return job.message;
  if (job.state === "cancelled") return "Cancelled.";
  return `${job.done} of ${job.total}`;
}

function fillDownloads() {
  if (byId("downloads").childElementCount) return;
  const files = state.exports.filter(({ name }) => asked.includes(name));
  byId("downloads").replaceChildren(
    ...files.map(({ title, file }) => {
      const link = document.createElement("a");
      link.href = `${api.base}api/exports/${encodeURIComponent(file)}`;
      link.download = "";
      link.textContent = `Download: ${title}`;
      return link;
    }),
  );
}

function fillKeys(groups) {
  byId("key-list").replaceChildren(
    ...groups.map(([title, keys]) => {
      const section = document.createElement("section");
      section.append(Object.assign(document.createElement("h3"), { textContent: title }));
      const list = document.createElement("dl");
      for (const [names, , about] of keys) {
        const term = document.createElement("dt");
        for (const name of names.split(" / ")) {
          term.append(Object.assign(document.createElement("kbd"), { textContent: name }));
        }
        list.append(term, Object.assign(document.createElement("dd"), { textContent: about }));
      }
      section.append(list);
      return section;
    }),
  );
}
