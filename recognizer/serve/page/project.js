// Files of a task: a project, its samples and model in one file, which the page saves and loads; and exports of its model.

import { ask, element, percent, request, telling } from "./api.js";
import { confirmed } from "./confirm.js";
import { zipEntries } from "./import.js";
import { choose, current, loadTasks, onChange, state } from "./state.js";

const file = document.getElementById("project-file");
const saveButton = document.getElementById("project-save");
const elsewhere = document.getElementById("project-elsewhere");
const result = document.getElementById("project-result");

let shown = ""; // the task of the result

async function save() {
  const task = state.task;
  await download(`/v1/projects/${encodeURIComponent(task)}`, `${task}.zip`, "the samples and the model");
}

async function exportModel() {
  const [task, to] = [state.task, elsewhere.value];
  elsewhere.value = "";
  const path = `/v1/exports/${encodeURIComponent(task)}?to=${to}`;
  await download(path, `${task}-${to}.zip`, "the model and all that is needed to use it elsewhere");
}

async function download(path, name, content) {
  result.textContent = `Saving ${name} …`;
  try {
    const answer = await request("GET", path);
    const link = element("a", { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
    result.textContent = `Saved ${name} with ${content}.`;
  } catch (error) {
    result.textContent = "";
    throw error;
  }
}

// The name of the task in a project. Raises an Error if the file is none.
async function taskIn(chosen) {
  const noProject = new Error(`${chosen.name} is not a project. Choose a file that was saved with Save.`);
  try {
    const card = (await zipEntries(chosen)).find((entry) => entry.name === "project.json");
    const { task } = JSON.parse(await (await card.open()).text());
    if (typeof task === "string") return task;
  } catch {
    throw noProject;
  }
  throw noProject;
}

async function load() {
  const [chosen] = file.files;
  file.value = "";
  if (!chosen) return;
  const task = await taskIn(chosen);
  const words = `There is a task ${task} here already. Add the samples of the file to it, and use its model?`;
  if (state.tasks.some((one) => one.name === task) && !(await confirmed(words, "Add them"))) return;
  result.textContent = `Loading ${chosen.name} …`;
  try {
    const loaded = await ask("POST", "/v1/projects", chosen);
    await loadTasks();
    choose(loaded.task);
    showLoaded(loaded);
  } catch (error) {
    result.textContent = "";
    throw error;
  }
}

function showLoaded({ task, added, there_already: there, refused, model, is_new_model: isNew, accuracy }) {
  const parts = [`Loaded ${task}: ${added} samples${there ? `, ${there} were here already` : ""}.`];
  if (model === null) parts.push("The file holds no model: train one.");
  else parts.push(isNew ? "Its model is in use." : "Its model was in use already.");
  if (model !== null && accuracy !== null) parts.push(`When it was trained, it recognized ${percent(accuracy)} of the samples kept for checking.`);
  if (refused.length) parts.push(`Left out: ${refused.length}.`);
  const list = element("ul", { className: "left-out" }, ...refused.map((words) => element("li", { textContent: words })));
  result.replaceChildren(parts.join(" "), ...(refused.length ? [list] : []));
}

function showButtons() {
  const samples = Object.values(current()?.samples ?? {}).some(Boolean);
  saveButton.disabled = !samples && !current()?.model;
  elsewhere.disabled = !current()?.model;
}

saveButton.addEventListener("click", telling(save));
elsewhere.addEventListener("change", telling(exportModel));
file.addEventListener("change", telling(load));
onChange("tasks", showButtons);
onChange("task", () => {
  if (state.task !== shown) result.textContent = "";
  shown = state.task;
  showButtons();
});
