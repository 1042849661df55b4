// Starts the page, and shows the tasks.

import { element, telling } from "./api.js";
import { choose, loadSubjects, loadTasks, onChange, state } from "./state.js";
import { startTabs } from "./tabs.js";
import "./live.js";
import "./teach.js";
import "./spell.js";
import "./look.js";
import "./draw.js";
import "./draw_samples.js";
import "./edit.js";
import "./play.js";
import "./project.js";

const select = document.getElementById("task");

function showTasks() {
  select.replaceChildren(...state.tasks.map((task) => element("option", { value: task.name, textContent: task.name, selected: task.name === state.task })));
}

function showName() {
  select.value = state.task;
  for (const place of document.querySelectorAll(".task-name")) place.textContent = state.task;
}

select.addEventListener("change", () => choose(select.value));
onChange("tasks", showTasks);
onChange("task", showName);

startTabs(["live", "teach", "spell", "look", "draw", "play"]);
telling(async () => {
  await Promise.all([loadSubjects(), loadTasks()]);
  choose(state.tasks.some((task) => task.name === state.task) ? state.task : state.tasks[0].name);
})();
