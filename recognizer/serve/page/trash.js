// What was deleted. It is kept until the trash is emptied.

import { ask, element, tell, telling } from "./api.js";
import { confirmed } from "./confirm.js";
import { choose, loadTasks, onChange, state } from "./state.js";

const details = document.getElementById("trash");
const list = document.getElementById("trash-list");
const emptyButton = document.getElementById("trash-empty");

// Brings back an entry of the trash.
export async function restore(entry) {
  const found = await ask("POST", `/v1/trash/${encodeURIComponent(entry)}/restore`);
  await loadTasks();
  choose(state.tasks.some((task) => task.name === found.task) ? found.task : state.task);
  if (details.open) await show();
  return found;
}

function nameOf({ kind, task, label, labels, samples, versions }) {
  const count = samples === 1 ? "1 sample" : `${samples} samples`;
  if (kind === "label") return `${task}: the label ${label}, ${count}`;
  if (kind === "model") return `${task}: ${versions === 1 ? "its model" : `${versions} models`}`;
  if (kind === "task") return `The task ${task}, ${count}`;
  return `${task}: ${count} of ${labels.join(", ")}`;
}

async function show() {
  const entries = await ask("GET", "/v1/trash");
  emptyButton.disabled = !entries.length;
  list.replaceChildren(...entries.map((entry) => {
    const words = nameOf(entry);
    const button = element("button", { type: "button", className: "small", textContent: "Restore" });
    button.setAttribute("aria-label", `Restore ${words}`);
    button.addEventListener("click", telling(async () => {
      await restore(entry.entry);
      tell(`Restored. ${words}.`);
    }));
    const time = entry.time && new Date(entry.time).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
    return element("li", { className: "line" }, element("span", { textContent: time ? `${words} · ${time}` : words }), button);
  }));
  if (!entries.length) list.append(element("li", { className: "hint", textContent: "The trash is empty." }));
}

details.addEventListener("toggle", telling(async () => details.open && (await show())));
emptyButton.addEventListener("click", telling(async () => {
  if (!(await confirmed("Delete everything in the trash for good?", "Empty the trash"))) return;
  await ask("DELETE", "/v1/trash");
  await show();
}));
onChange("tasks", telling(async () => details.open && (await show())));
