// Edits the task in place: its name, the names and order of its labels, merging and deleting.

import { ask, element, showErrors, tell, telling } from "./api.js";
import { confirmed } from "./confirm.js";
import { choose, current, loadTasks, NOTHING, onChange, state } from "./state.js";
import { restore } from "./trash.js";

const panel = document.getElementById("edit");
const button = document.getElementById("edit-open");
const replaced = ["how", "labels", "add-label"].map((id) => document.getElementById(id)); // hidden meanwhile
const nameForm = document.getElementById("edit-name");
const list = document.getElementById("edit-labels");
const hint = document.getElementById("edit-hint");
const mergeForm = document.getElementById("edit-merge");
const deleteButton = document.getElementById("edit-delete");

const path = (task, rest = "") => `/v1/tasks/${encodeURIComponent(task)}${rest}`;
const labelPath = (task, label) => path(task, `/labels?label=${encodeURIComponent(label)}`);
const samplesOf = (count) => (count === 1 ? "1 sample" : `${count} samples`);
const ownLabels = () => current().labels.filter((label) => label !== NOTHING);

// Labels have changed, and those of the pictures that are shown with them.
async function reload() {
  await loadTasks();
  choose(state.task);
}

async function renameTask(from, to) {
  const { name } = await ask("PATCH", path(from), { name: to });
  await loadTasks();
  choose(name);
  return name;
}

async function deleteTask() {
  const { name } = current();
  const { entry, samples } = await ask("DELETE", path(name));
  await loadTasks();
  choose(state.tasks.some((task) => task.name === name) ? name : state.tasks[0].name);
  tell(`Deleted ${name} with ${samplesOf(samples)}.`, () => restore(entry));
}

async function mergeTask() {
  const { name } = current();
  const into = mergeForm.elements.into.value;
  const words = `Move all samples and labels of ${name} into ${into}? The task ${name} is then gone. This cannot be undone.`;
  if (!(await confirmed(words, "Merge"))) return;
  await ask("POST", path(name, "/merge"), { into });
  await loadTasks();
  choose(into);
  tell(`${name} is now part of ${into}. Train again to use its samples.`);
}

async function renameLabel(label, to) {
  const task = state.task;
  const isMerge = current().labels.includes(to);
  const words = `There is a label ${to} already. Put all samples of ${label} into it? This cannot be undone.`;
  if (isMerge && !(await confirmed(words, "Merge"))) return;
  const { samples, must_retrain: mustRetrain } = await ask("PATCH", labelPath(task, label), { label: to });
  await reload();
  if (isMerge) tell(`${samplesOf(samples)} of ${label} are now ${to}.${mustRetrain ? " Train again." : ""}`);
  else {
    tell(`${label} is now called ${to}.`, async () => {
      await ask("PATCH", labelPath(task, to), { label });
      await reload();
    });
  }
}

async function deleteLabel(label) {
  const { entry, samples, must_retrain: mustRetrain } = await ask("DELETE", labelPath(state.task, label));
  await reload();
  const words = `Deleted ${label} with ${samplesOf(samples)}.${mustRetrain ? " The model knows it until you train again." : ""}`;
  tell(words, entry === null ? undefined : () => restore(entry));
}

// Moves a label one place up (-1) or down (1).
async function move(label, step) {
  const labels = ownLabels();
  const from = labels.indexOf(label);
  [labels[from], labels[from + step]] = [labels[from + step], label];
  await ask("PATCH", path(state.task), { labels: current().labels.includes(NOTHING) ? [...labels, NOTHING] : labels });
  await loadTasks();
  [...rowOf(label).querySelectorAll("[data-step]")].sort((a) => (Number(a.dataset.step) === step ? -1 : 1)).find((one) => !one.disabled)?.focus();
}

const rowOf = (label) => [...list.children].find((row) => row.dataset.label === label);

function labelRow(label, place, all) {
  const input = element("input", { name: "label", value: label, maxLength: 60, required: true });
  input.setAttribute("aria-label", `Name of the label ${label}`);
  const arrow = (step, sign, words) => {
    const made = element("button", { type: "button", className: "small", textContent: sign, disabled: !all[place + step] });
    made.dataset.step = step;
    made.setAttribute("aria-label", `Move ${label} ${words}`);
    made.addEventListener("click", telling(() => move(label, step)));
    return made;
  };
  const remove = element("button", { type: "button", className: "small", textContent: "✕", title: "Delete the label and its samples" });
  remove.setAttribute("aria-label", `Delete the label ${label}`);
  remove.addEventListener("click", telling(() => deleteLabel(label)));
  const form = element("form", { className: "line" }, input, arrow(-1, "↑", "up"), arrow(1, "↓", "down"), remove);
  const rename = async () => {
    const to = input.value.trim();
    if (to === label) return;
    try {
      await renameLabel(label, to);
    } catch (error) {
      showErrors(form, error);
      return;
    }
    input.value = label; // if it was not confirmed; a renamed label has a new row
    if (document.activeElement === document.body) rowOf(to)?.querySelector("input").focus();
  };
  input.addEventListener("change", rename);
  form.addEventListener("submit", (event) => event.preventDefault()); // Enter makes a change event
  const row = element("li", {}, form);
  row.dataset.label = label;
  return row;
}

function show() {
  const task = current();
  if (!task || panel.hidden) return;
  nameForm.elements.name.value = task.name;
  for (const one of nameForm.elements) one.disabled = !task.own;
  showErrors(nameForm, null);
  hint.textContent = task.own ? "" : `${task.name} came with the program. It keeps its name and its labels.`;
  list.replaceChildren(...ownLabels().map(labelRow));
  const others = state.tasks.filter((one) => one.region === task.region && one.name !== task.name);
  mergeForm.hidden = !task.own || !others.length;
  mergeForm.elements.into.replaceChildren(...others.map(({ name }) => element("option", { value: name, textContent: name })));
  deleteButton.textContent = task.own ? "Delete the task" : "Delete my samples";
  deleteButton.disabled = !task.own && !Object.values(task.samples).some(Boolean);
}

button.addEventListener("click", () => {
  panel.hidden = !panel.hidden;
  for (const one of replaced) one.hidden = !panel.hidden;
  button.textContent = panel.hidden ? "Edit" : "Done";
  show();
});
nameForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const from = state.task;
  try {
    const name = await renameTask(from, nameForm.elements.name.value.trim());
    tell(`${from} is now called ${name}.`, () => renameTask(name, from));
  } catch (error) {
    showErrors(nameForm, error);
  }
});
mergeForm.addEventListener("submit", telling(async (event) => {
  event.preventDefault();
  await mergeTask();
}));
deleteButton.addEventListener("click", telling(deleteTask));
onChange("task", show);
onChange("tasks", show);
