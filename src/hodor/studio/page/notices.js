// Short messages that come and go.

import { byId } from "./elements.js";

const STAYS = { info: 4000, warning: 15000, error: 9000 }; // ms; a warning is a long line
const region = byId("notices");

/** Shows a message for a while; the same one is not shown twice at once.
 * @type {(text: string, kind?: "info" | "warning" | "error") => void} */
export function tell(text, kind = "info") {
  for (const other of region.children) if (other.dataset.text === text) other.remove();
  const notice = document.createElement("div");
  notice.className = `notice ${kind}`;
  notice.dataset.text = text;
  notice.textContent = text;
  const close = document.createElement("button");
  close.className = "icon";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  close.onclick = () => notice.remove();
  notice.append(close);
  region.append(notice);
  setTimeout(() => notice.remove(), STAYS[kind]);
}
