// Tabs and tasks.

import { element, telling } from "./api.js";
import { choose, loadSubjects, loadTasks, onChange, open, state } from "./state.js";
import "./live.js";
import "./teach.js";
import "./look.js";
import "./draw.js";
import "./draw_samples.js";

const TABS = ["live", "teach", "look", "draw"];
const select = document.getElementById("task");

function showTab() {
  for (const tab of TABS) {
    const button = document.getElementById(`tab-${tab}`);
    button.setAttribute("aria-selected", tab === state.tab);
    button.tabIndex = tab === state.tab ? 0 : -1;
    document.getElementById(tab).hidden = tab !== state.tab;
  }
  document.body.classList.toggle("teaching", state.tab === "teach");
  document.getElementById("camera").hidden = !["live", "teach"].includes(state.tab);
}

function showTasks() {
  select.replaceChildren(...state.tasks.map((task) => element("option", { value: task.name, textContent: task.name, selected: task.name === state.task })));
}

function showName() {
  select.value = state.task;
  for (const place of document.querySelectorAll(".task-name")) place.textContent = state.task;
}

for (const tab of TABS) {
  const button = document.getElementById(`tab-${tab}`);
  button.addEventListener("click", () => (location.hash = tab));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    location.hash = next;
    document.getElementById(`tab-${next}`).focus();
  });
}
const byAddress = () => open(TABS.find((tab) => location.hash === `#${tab}`) ?? "live");
window.addEventListener("hashchange", byAddress);
select.addEventListener("change", () => choose(select.value));
onChange("tab", showTab);
onChange("tasks", showTasks);
onChange("task", showName);

byAddress();
telling(async () => {
  await Promise.all([loadSubjects(), loadTasks()]);
  choose(state.tasks.some((task) => task.name === state.task) ? state.task : state.tasks[0].name);
})();
