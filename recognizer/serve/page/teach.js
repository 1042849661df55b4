// Recording: while a label's button or key is held, samples are recorded, up to ten a second.

import { ask, element, isServerGone, named, onServer, showErrors, tell, telling } from "./api.js";
import * as camera from "./camera.js";
import { droppedFiles, importPictures } from "./import.js";
import { current, choose, labelKeys, loadTasks, NOTHING, onChange, state } from "./state.js";
import { placeTraining } from "./training.js";
import { restore } from "./trash.js";

const EVERY_MS = 100;
const THUMBS = 8; // newest samples shown beside each label

const stage = document.getElementById("stage");
const list = document.getElementById("labels");
const hint = document.getElementById("record-hint");
const undoButton = document.getElementById("take-back");
const keepAs = document.getElementById("keep-as");
const dialog = document.getElementById("new-task");
const form = document.getElementById("new-task-form");

const newSession = () => `web-${new Date().toISOString().replace(/\D/g, "").slice(0, 14)}-${Math.random().toString(36).slice(2, 6)}`;
const session = newSession();
let held = null; // the label whose button or key is held
let isRecording = false; // not before the server has answered: it may have to load a model first
let burst = []; // the samples that were recorded last
let thumbs = []; // samples of the current task, the newest last
let keys = new Map();

function show() {
  const task = current();
  if (!task) return;
  const labels = [...new Set([...task.labels, NOTHING])];
  keys = labelKeys(labels);
  const keyOf = new Map([...keys].map(([key, label]) => [label, key]));
  const rows = labels.map((label) => {
    const button = element("button", { className: "record", type: "button", title: `Hold to record ${label}` },
      element("kbd", { textContent: keyOf.get(label) ?? "·" }),
      element("span", { className: "word", textContent: label }),
      element("span", { className: "count" }),
      ...(task.enough[label] ? [element("span", { className: "enough" })] : []));
    button.dataset.label = label;
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      record(label);
    });
    for (const end of ["pointerup", "pointercancel", "blur"]) button.addEventListener(end, release);
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && (event.preventDefault(), event.repeat || record(label)));
    button.addEventListener("keyup", (event) => [" ", "Enter"].includes(event.key) && release());
    const row = element("div", { className: "label" }, button, element("div", { className: "thumbs" }), adder(label));
    row.addEventListener("dragover", (event) => (event.preventDefault(), row.classList.add("over")));
    row.addEventListener("dragleave", () => row.classList.remove("over"));
    row.addEventListener("drop", telling(async (event) => {
      event.preventDefault();
      row.classList.remove("over");
      await add(label, await droppedFiles(event.dataTransfer));
    }));
    return row;
  });
  list.replaceChildren(...rows);
  for (const label of labels) {
    showThumbs(label);
    showCount(task, label);
  }
  keepAs.replaceChildren(element("option", { value: "", textContent: "Keep this picture as …" }),
    ...labels.map((label) => element("option", { value: label, textContent: label })));
  mark();
}

const buttonOf = (label) => [...list.querySelectorAll(".record")].find((button) => button.dataset.label === label);

function adder(label) {
  const input = element("input", { type: "file", multiple: true, accept: "image/*,.heic,.heif,.zip" });
  input.setAttribute("aria-label", `Add pictures to ${label}`);
  input.addEventListener("change", telling(() => add(label, [...input.files])));
  return element("label", { className: "button add", title: "Add pictures or a zip file" }, "Add pictures", input);
}

// Records the pictures in files, and says which are left out and why.
async function add(label, files) {
  const task = state.task;
  await haveLabel(task, label);
  const { recorded, leftOut } = await importPictures(files, task, label, newSession(), (done, all, sample) => {
    hint.textContent = `${label}: ${done} of ${all} pictures`;
    if (sample && task === state.task) count(current(), label, sample);
  });
  const reasons = leftOut.map(([name, reason]) => element("li", { textContent: `${name}: ${reason}` }));
  hint.replaceChildren(`Samples of ${label} from these files: ${recorded}.`,
    ...(reasons.length ? [` Left out: ${reasons.length}.`, element("ul", { className: "left-out" }, ...reasons)] : []));
  await loadTasks();
}

async function haveLabel(task, label) {
  if (!current().labels.includes(label)) await ask("POST", `/v1/tasks/${encodeURIComponent(task)}/labels`, { labels: [label] });
}

// The number of samples, and a bar that is full when there are enough.
function showCount(task, label) {
  const button = buttonOf(label);
  if (!button) return;
  const samples = task.samples[label] ?? 0;
  button.querySelector(".count").textContent = samples;
  button.querySelector(".enough")?.style.setProperty("--share", Math.min(1, samples / task.enough[label]));
}

// The newest samples of a label, each with a button that deletes it.
function showThumbs(label) {
  const place = buttonOf(label)?.parentElement.querySelector(".thumbs");
  if (!place) return;
  const shown = thumbs.filter((sample) => sample.label === label).slice(-THUMBS).reverse();
  const old = new Map([...place.children].map((figure) => [figure.dataset.id, figure]));
  place.replaceChildren(...shown.map((sample) => old.get(sample.id) ?? thumb(sample)));
}

function thumb(sample) {
  const picture = element("img", { src: `/v1/samples/${sample.id}/picture?side=64`, alt: `a sample of ${sample.label}`, width: 48, height: 48 });
  const button = element("button", { type: "button", textContent: "×", title: "Delete it" });
  button.setAttribute("aria-label", `Delete this sample of ${sample.label}`);
  button.addEventListener("click", telling(() => remove([sample])));
  const figure = element("figure", {}, picture, button);
  figure.dataset.id = sample.id;
  return figure;
}

async function remove(samples) {
  const { entry } = await ask("POST", "/v1/samples/delete", { ids: samples.map(({ id }) => id) });
  burst = burst.filter((one) => !samples.includes(one));
  undoButton.disabled = !burst.length;
  const words = samples.length === 1 ? `Deleted a sample of ${samples[0].label}.` : `Deleted the last ${samples.length} samples.`;
  tell(words, () => restore(entry));
  await Promise.all([loadTasks(), loadThumbs()]);
}

async function loadThumbs() {
  const task = state.task;
  const page = await ask("GET", `/v1/samples?${named(task, "limit=500")}`);
  if (task !== state.task) return;
  thumbs = page.samples.reverse();
  for (const button of list.querySelectorAll(".record")) showThumbs(button.dataset.label);
}

function mark() {
  for (const button of list.querySelectorAll(".record")) {
    button.classList.toggle("on", isRecording && button.dataset.label === held);
    button.disabled = isServerGone();
  }
  stage.classList.toggle("recording", isRecording && held !== null);
}

const record = telling(async (label) => {
  if (held !== null || isServerGone()) return;
  if (!camera.isOn()) {
    tell("Start the camera first, or open a picture.");
    return;
  }
  held = label;
  burst = [];
  undoButton.disabled = true;
  const task = state.task;
  hint.textContent = "Getting ready …";
  mark();
  try {
    const openTask = current();
    await haveLabel(task, label);
    do {
      const due = performance.now() + EVERY_MS;
      const picture = await camera.grab();
      const words = named(task, `label=${encodeURIComponent(label)}`, `session=${session}`);
      const sample = picture && (await save(`/v1/samples?${words}`, picture));
      if (!isRecording) {
        isRecording = true;
        mark();
      }
      if (sample) count(openTask, label, sample);
      if (camera.isStill()) break;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    } while (held === label);
  } finally {
    held = null;
    isRecording = false;
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
  burst.push(sample);
  thumbs.push(sample);
  showThumbs(label);
  openTask.samples[label] = (openTask.samples[label] ?? 0) + 1;
  showCount(openTask, label);
  const warnings = [sample.blurred && "it is blurred: hold it still", sample.seen_before && "similar to earlier samples: move it a little"];
  hint.textContent = warnings.filter(Boolean).join("; ");
}

function release() {
  held = null;
  mark();
}

undoButton.addEventListener("click", telling(() => remove([...burst])));
keepAs.addEventListener("change", telling(async () => {
  const label = keepAs.value;
  keepAs.value = "";
  await record(label);
  tell(burst.length ? `Kept as a sample of ${label}.` : hint.textContent, burst.length ? () => remove([...burst]) : undefined);
}));

document.getElementById("add-label").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = event.target.elements.labels;
  try {
    await ask("POST", `/v1/tasks/${encodeURIComponent(state.task)}/labels`, { labels: [input.value] });
    input.value = "";
    showErrors(event.target, null);
    await loadTasks();
  } catch (error) {
    showErrors(event.target, error);
  }
});

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
    showErrors(form, null);
    dialog.close();
  } catch (error) {
    showErrors(form, error);
  }
});

function showSubjects() {
  const choices = state.subjects.map(({ name, description }, index) =>
    element("label", {}, element("input", { type: "radio", name: "region", value: name, defaultChecked: !index }), ` ${description}`));
  document.getElementById("subjects").append(...choices);
}

placeTraining(document.querySelector("#teach .training"));
onServer(() => (isServerGone() ? release() : mark()));
onChange("subjects", showSubjects);
onChange("tasks", () => held === null && show());
onChange("task", () => {
  burst = [];
  thumbs = [];
  undoButton.disabled = true;
  hint.textContent = "";
  show();
  telling(loadThumbs)();
});
