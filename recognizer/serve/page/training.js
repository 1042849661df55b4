// The Train button with progress and result. It is on several tabs and shows the same state on all.

import { ask, element, isServerGone, onServer, percent, telling } from "./api.js";
import { current, loadTasks, onChange, state } from "./state.js";

const POLL_MS = 300;
const places = [];
const jobs = new Map(); // the last job of each task, as the server returned it
const listeners = [];

const isUnfinished = (job) => ["queued", "running"].includes(job?.state);
export const onTrained = (then) => listeners.push(then);

export function placeTraining(place) {
  place.append(document.getElementById("training-template").content.cloneNode(true));
  place.querySelector(".train").addEventListener("click", telling(train));
  place.querySelector(".cancel").addEventListener("click", telling(() => ask("DELETE", `/v1/jobs/${jobs.get(state.task).id}`)));
  place.querySelector(".undo").addEventListener("click", telling(undo));
  places.push(place);
}

export async function train() {
  await follow(await ask("POST", "/v1/learn", { task: state.task }));
}

async function follow(job) {
  jobs.set(job.task, job);
  show();
  while (isUnfinished(job)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    job = await ask("GET", `/v1/jobs/${job.id}`);
    jobs.set(job.task, job);
    show();
  }
  await loadTasks();
  for (const then of listeners) then(job);
}

async function undo() {
  const task = state.task;
  const restored = await ask("POST", `/v1/models/${encodeURIComponent(task)}/rollback`);
  jobs.set(task, { task, undone: restored.version });
  show();
  await loadTasks();
  for (const then of listeners) then(jobs.get(task));
}

function show() {
  const job = jobs.get(state.task);
  const running = isUnfinished(job);
  for (const place of places) {
    const button = place.querySelector(".train");
    const missing = current()?.missing ?? "";
    button.disabled = running || Boolean(missing) || isServerGone();
    place.querySelector(".missing").textContent = running || !missing ? "" : `Before training: ${missing}.`;
    button.textContent = running ? "Training …" : "Train";
    place.querySelector(".cancel").hidden = !running;
    place.querySelector(".undo").hidden = running || !current()?.can_go_back;
    place.querySelector(".progress").hidden = !running;
    if (running) {
      place.querySelector("progress").value = job.progress;
      place.querySelector(".stage-name").textContent = job.stage;
    }
    const result = place.querySelector(".result");
    result.hidden = !job || running;
    if (!result.hidden) result.replaceChildren(...outcome(job));
    result.classList.toggle("refused", job?.state === "failed" || (job?.state === "done" && !job.result?.published));
  }
}

function outcome(job) {
  const line = (words) => element("p", { className: "verdict", textContent: words });
  if (job.undone) return [line("The previous model is in use again.")];
  if (job.state === "cancelled") return [line("Training was cancelled. Nothing has changed.")];
  if (job.state === "failed") return [line(job.error)];
  const { published, before, after, per_label: labels, why, confused } = job.result;
  const parts = [line(published ? "Trained. The new model is in use." : `The new model is not in use: ${why}.`)];
  const rows = [];
  if (after?.accuracy !== null && after !== undefined) rows.push(["samples kept back to check", before?.accuracy, after.accuracy]);
  if (after?.known !== null && after?.known !== undefined) rows.push(["earlier labels", before?.known, after.known]);
  for (const [label, { of, before: was, after: is }] of Object.entries(labels ?? {})) {
    if (of) rows.push([label, before?.accuracy == null ? null : was / of, is / of]);
  }
  if (rows.length) {
    const cells = (tag, words) => element("tr", {}, ...words.map((word) => element(tag, { textContent: word })));
    parts.push(element("table", {},
      element("thead", {}, cells("th", ["read right", "before", "new"])),
      element("tbody", {}, ...rows.map(([name, was, is]) => cells("td", [name, percent(was), percent(is)])))));
  } else if (published && why) parts.push(element("p", { className: "hint", textContent: `${why}.` }));
  if (confused?.length) {
    const words = confused.slice(0, 3).map(([predicted, truth, count]) => `${count} × ${truth} read as ${predicted}`).join(", ");
    parts.push(element("p", { className: "hint", textContent: words }));
  }
  return parts;
}

onChange("task", show);
onChange("tasks", show);
onServer(show);
