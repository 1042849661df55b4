// Recording: while a label's button or key is held, samples are recorded, up to ten a second.

import { ask, element, named, tell, telling } from "./api.js";
import * as camera from "./camera.js";
import { current, choose, labelKeys, loadTasks, NOTHING, onChange, state } from "./state.js";
import { placeTraining } from "./training.js";

const EVERY_MS = 100;

const stage = document.getElementById("stage");
const list = document.getElementById("labels");
const hint = document.getElementById("record-hint");
const undoButton = document.getElementById("take-back");
const dialog = document.getElementById("new-task");
const form = document.getElementById("new-task-form");

const session = `web-${new Date().toISOString().replace(/\D/g, "").slice(0, 14)}-${Math.random().toString(36).slice(2, 6)}`;
let held = null; // the label that is being recorded
let burst = []; // ids of the samples that were recorded last, for Undo
let keys = new Map();

function show() {
  const task = current();
  if (!task) return;
  const labels = [...new Set([...task.labels, NOTHING])];
  keys = labelKeys(labels);
  const keyOf = new Map([...keys].map(([key, label]) => [label, key]));
  const buttons = labels.map((label) => {
    const button = element("button", { className: "record", type: "button", title: `Hold to record ${label}` },
      element("kbd", { textContent: keyOf.get(label) ?? "·" }),
      element("span", { className: "word", textContent: label }),
      element("span", { className: "count", textContent: task.samples[label] ?? 0 }));
    button.dataset.label = label;
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      record(label);
    });
    for (const end of ["pointerup", "pointercancel", "blur"]) button.addEventListener(end, release);
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && (event.preventDefault(), event.repeat || record(label)));
    button.addEventListener("keyup", (event) => [" ", "Enter"].includes(event.key) && release());
    return button;
  });
  list.replaceChildren(...buttons);
  mark();
}

const buttonOf = (label) => [...list.children].find((button) => button.dataset.label === label);

function mark() {
  for (const button of list.children) button.classList.toggle("on", button.dataset.label === held);
  stage.classList.toggle("recording", held !== null);
}

const record = telling(async (label) => {
  if (held !== null) return;
  if (!camera.isOn()) {
    tell("Start the camera first, or open a picture.");
    return;
  }
  held = label;
  burst = [];
  undoButton.disabled = true;
  const task = state.task;
  mark();
  try {
    const openTask = current();
    if (!openTask.labels.includes(label)) await ask("POST", `/v1/tasks/${encodeURIComponent(task)}/labels`, { labels: [label] });
    do {
      const due = performance.now() + EVERY_MS;
      const picture = await camera.grab();
      const words = named(task, `label=${encodeURIComponent(label)}`, `session=${session}`);
      const sample = picture && (await save(`/v1/samples?${words}`, picture));
      if (sample) count(openTask, label, sample);
      if (camera.isStill()) break;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    } while (held === label);
  } finally {
    held = null;
    undoButton.disabled = !burst.length;
    mark();
    loadTasks();
  }
});

async function save(path, picture) {
  try {
    return await ask("POST", path, picture);
  } catch (error) {
    if (error.body?.status !== 422 || !error.body.found.startsWith("no ")) throw error;
    hint.textContent = `Nothing to record: ${error.body.found}.`;
    return null;
  }
}

function count(openTask, label, sample) {
  burst.push(sample.id);
  openTask.samples[label] = (openTask.samples[label] ?? 0) + 1;
  const shown = buttonOf(label)?.querySelector(".count");
  if (shown) shown.textContent = openTask.samples[label];
  const warnings = [sample.blurred && "it is blurred: hold it still", sample.seen_before && "similar to earlier samples: move it a little"];
  hint.textContent = warnings.filter(Boolean).join("; ");
}

function release() {
  held = null;
  mark();
}

undoButton.addEventListener("click", telling(async () => {
  const deleted = burst.splice(0);
  undoButton.disabled = true;
  for (const id of deleted) await ask("DELETE", `/v1/samples/${id}`);
  tell(`Deleted the last ${deleted.length} samples.`);
  await loadTasks();
}));

document.getElementById("add-label").addEventListener("submit", telling(async (event) => {
  event.preventDefault();
  const input = event.target.elements.label;
  await ask("POST", `/v1/tasks/${encodeURIComponent(state.task)}/labels`, { labels: [input.value] });
  input.value = "";
  await loadTasks();
}));

const isTyping = (event) => event.target.closest?.("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey;

document.addEventListener("keydown", (event) => {
  if (state.tab !== "teach" || isTyping(event) || event.repeat) return;
  const label = keys.get(event.key.toUpperCase());
  if (label) record(label);
});
document.addEventListener("keyup", (event) => keys.get(event.key.toUpperCase()) === held && held !== null && release());
window.addEventListener("blur", release);

document.getElementById("new-task-open").addEventListener("click", () => dialog.showModal());
form.querySelector('[value="cancel"]').addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, region, labels } = Object.fromEntries(new FormData(form));
  const words = labels.split(/[,\u055d\u060c\u061b\u07f8\u1363\u1802\u1808\u3001\ua4fe\ua60d\ua6f5\ufe10\ufe11\ufe50\ufe51\uff0c\uff1b\uff64]/).map((word) => word.trim()).filter(Boolean);
  try {
    const created = await ask("POST", "/v1/tasks", { name: name.trim(), region, labels: words });
    await loadTasks();
    choose(created.name);
    form.reset();
    form.querySelector(".wrong").textContent = "";
    dialog.close();
  } catch (error) {
    form.querySelector(".wrong").textContent = error.message;
  }
});

function showSubjects() {
  const choices = state.subjects.map(({ name, description }, index) =>
    element("label", {}, element("input", { type: "radio", name: "region", value: name, defaultChecked: !index }), ` ${description}`));
  document.getElementById("subjects").append(...choices);
}

placeTraining(document.querySelector("#teach .training"));
onChange("subjects", showSubjects);
onChange("tasks", () => held === null && show());
onChange("task", () => {
  burst = [];
  undoButton.disabled = true;
  hint.textContent = "";
  show();
});
