// Tabs and tasks.

import { element, telling } from "./api.js";
import { CAMERA_TABS, choose, loadSubjects, loadTasks, onChange, open, state } from "./state.js";
import "./live.js";
import "./teach.js";
import "./spell.js";
import "./look.js";
import "./draw.js";
import "./edit.js";
import "./play.js";
import "./project.js";

const TABS = ["live", "teach", "spell", "look", "draw", "play"];
const select = document.getElementById("task");

function showTab() {
  for (const tab of TABS) {
    const button = document.getElementById(`tab-${tab}`);
    button.setAttribute("aria-selected", tab === state.tab);
    button.tabIndex = tab === state.tab ? 0 : -1;
    document.getElementById(tab).hidden = tab !== state.tab;
  }
  document.body.classList.toggle("camera-stays", ["teach", "play"].includes(state.tab)); // while the panel is scrolled
  document.getElementById("camera").hidden = !CAMERA_TABS.includes(state.tab);
}

function showTasks() {
  select.replaceChildren(...state.tasks.map((task) => element("option", { value: task.name, textContent: task.name, selected: task.name === state.task })));
}

function showName() {
  select.value = state.task;
  for (const place of document.querySelectorAll(".task-name")) place.textContent = state.task;
}

const tabOfAddress = () => TABS.find((tab) => location.hash === `#${tab}`) ?? "live";

function byAddress() {
  if (tabOfAddress() !== state.tab) open(tabOfAddress());
}

// Shows a tab from its beginning: a change of the hash would scroll to it, below the camera.
function go(tab) {
  history.pushState(null, "", `#${tab}`);
  byAddress();
  scrollTo(0, 0);
}

for (const tab of TABS) {
  const button = document.getElementById(`tab-${tab}`);
  button.addEventListener("click", () => go(tab));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    go(next);
    document.getElementById(`tab-${next}`).focus();
  });
}
for (const change of ["hashchange", "popstate"]) window.addEventListener(change, byAddress);
select.addEventListener("change", () => choose(select.value));
onChange("tab", showTab);
onChange("tasks", showTasks);
onChange("task", showName);

open(tabOfAddress());
telling(async () => {
  await Promise.all([loadSubjects(), loadTasks()]);
  choose(state.tasks.some((task) => task.name === state.task) ? state.task : state.tasks[0].name);
})();
