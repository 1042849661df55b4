// The page's state: tasks, current task, current tab, and change events.

import { ask } from "./api.js";

export const NOTHING = "nothing";
// Why a browser may forbid the camera on this page, and what to do.
export const INSECURE = "Browsers allow it only on the server's own machine or over https. Start the server with --certificate and --key.";
export const CAMERA_TABS = ["live", "teach", "spell", "play"]; // these show the camera
export const state = { task: "digits", tasks: [], subjects: [], tab: "live" };

const changes = new EventTarget();
export const onChange = (what, then) => changes.addEventListener(what, then);
const changed = (what) => changes.dispatchEvent(new Event(what));

export const current = () => state.tasks.find((task) => task.name === state.task) ?? state.tasks[0];

// What the camera shows in the current task.
export const subject = () => state.subjects.find((one) => one.name === current()?.region);

// Whether a drawing can replace the camera's picture for the current task.
export const isDrawable = () => Boolean(subject()?.drawable);

export async function loadSubjects() {
  state.subjects = await ask("GET", "/v1/subjects");
  changed("subjects");
}

export async function loadTasks() {
  state.tasks = await ask("GET", "/v1/tasks");
  changed("tasks");
}

export function choose(task) {
  state.task = task;
  changed("task");
}

export function open(tab) {
  state.tab = tab;
  changed("tab");
}

// The key of each label, as in the window: its own character if all labels have one, else digits; "nothing" has - or 0.
export function labelKeys(labels) {
  const words = labels.filter((label) => label !== NOTHING);
  const own = words.every((label) => /^[0-9A-Za-z]$/.test(label)) && new Set(words.map((w) => w.toUpperCase())).size === words.length;
  const keys = new Map(own ? words.map((w) => [w.toUpperCase(), w]) : words.slice(0, 9).map((w, index) => [`${index + 1}`, w]));
  return keys.set(own ? "-" : "0", NOTHING);
}
