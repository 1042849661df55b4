// The samples and the confusion matrix of the current model. A cell shows its pictures, which can be relabelled or deleted.

import { ask, element, named, tell, telling } from "./api.js";
import { current, loadTasks, onChange, state } from "./state.js";
import { onTrained, placeTraining } from "./training.js";

const AT_ONCE = 60; // pictures shown before "Show more"

const matrix = document.getElementById("matrix");
const hint = document.getElementById("matrix-hint");
const grid = document.getElementById("grid");
const title = document.getElementById("grid-title");
const all = document.getElementById("grid-all");
const more = document.getElementById("grid-more");

let results = null; // the response of /v1/confusion
let chosen = null; // {label, readAs} of the open cell
let shown = AT_ONCE;
let lastRequest = 0;

const load = telling(async () => {
  const request = (lastRequest += 1);
  if (!results || results.task !== state.task) {
    results = null;
    matrix.replaceChildren();
    grid.replaceChildren();
    hint.textContent = "Evaluating the samples …";
  }
  const answer = await ask("GET", `/v1/confusion?${named(state.task)}`);
  if (request !== lastRequest) return; // the task was changed in the meantime
  results = answer;
  show();
});

const isChosen = (one) => !chosen || (one.label === chosen.label && one.read_as === chosen.readAs);

function show() {
  if (!results) return;
  if (!results.samples.some(isChosen)) chosen = null; // the cell is now empty
  const wrong = results.samples.filter((sample) => sample.label !== (sample.read_as ?? "nothing")).length;
  const leftOut = results.left_out ? ` The oldest ${results.left_out} samples are not included.` : "";
  hint.textContent = !results.samples.length
    ? "There are no samples yet. Record some on the Teach page."
    : !results.model
      ? "There is no model yet. Train one to see the confusion matrix."
      : `${results.samples.length - wrong} of ${results.samples.length} are recognized correctly. Click a cell to see its pictures.${leftOut}`;
  matrix.replaceChildren(...(results.samples.length && results.model ? [table()] : []));
  showGrid();
}

function table() {
  const columns = [...results.labels, null];
  const highest = Math.max(1, ...results.counts.flat());
  const head = element("tr", {}, element("th", { className: "corner", textContent: "label ↓\npredicted →" }),
    ...columns.map((label) => element("th", { scope: "col", textContent: label ?? "–", title: label ?? "rejected" })));
  const rows = results.labels.map((label, row) => {
    const cells = columns.map((readAs, column) => cell(label, readAs, results.counts[row][column], highest));
    return element("tr", {}, element("th", { scope: "row", textContent: label, title: label }), ...cells);
  });
  return element("table", { className: "matrix" }, element("thead", {}, head), element("tbody", {}, ...rows));
}

const isRight = (label, readAs) => label === (readAs ?? "nothing");

function cell(label, readAs, count, highest) {
  const made = element("td");
  if (!count) return made;
  const open = chosen?.label === label && chosen?.readAs === readAs;
  const button = element("button", { textContent: count });
  button.setAttribute("aria-label", `${count} × ${label} predicted as ${readAs ?? "rejected"}`);
  button.setAttribute("aria-pressed", open);
  const strength = 0.2 + 0.5 * (count / highest);
  made.style.background = `rgba(var(--${isRight(label, readAs) ? "good" : "bad"}), ${strength.toFixed(2)})`;
  button.addEventListener("click", () => {
    chosen = open ? null : { label, readAs };
    shown = AT_ONCE;
    show();
    if (chosen && matchMedia("(max-width: 900px)").matches) title.scrollIntoView({ block: "start" });
  });
  made.append(button);
  return made;
}

function showGrid() {
  const matching = results.samples.filter(isChosen).reverse();
  const mistakes = (one) => results.model && !isRight(one.label, one.read_as);
  if (!chosen) matching.sort((a, b) => mistakes(b) - mistakes(a));
  all.hidden = !chosen;
  title.textContent = chosen
    ? `${matching.length} × ${chosen.label} predicted as ${chosen.readAs ?? "rejected"}`
    : `All ${matching.length} samples`;
  grid.replaceChildren(...matching.slice(0, shown).map((one) => card(one, mistakes(one))));
  more.hidden = matching.length <= shown;
}

function card(one, mistake) {
  const picture = element("img", { src: `/v1/samples/${one.id}/picture?side=160`, alt: `a sample of ${one.label}`, loading: "lazy" });
  const caption = element("figcaption", { className: "is" }, element("b", { textContent: one.label }));
  if (!one.readable) caption.append(" ", element("span", { textContent: "cannot be read" }));
  else if (mistake) caption.append(" ", element("span", { textContent: `predicted as ${one.read_as ?? "rejected"}` }));
  const labelSelect = element("select", { title: "Give it another label" },
    element("option", { value: "", textContent: "Relabel" }),
    ...results.labels.filter((label) => label !== one.label).map((label) => element("option", { value: label, textContent: label })));
  labelSelect.setAttribute("aria-label", `Relabel this ${one.label}`);
  labelSelect.addEventListener("change", () => relabel(one, labelSelect.value));
  const deleteButton = element("button", { className: "delete", textContent: "✕", type: "button", title: "Delete it" });
  deleteButton.setAttribute("aria-label", `Delete this ${one.label}`);
  deleteButton.addEventListener("click", () => remove(one));
  const made = element("figure", { className: mistake ? "sample mistake" : "sample" }, picture, caption);
  if (mistake && one.read_as !== null) {
    const acceptButton = element("button", { className: "cure", textContent: `It is ${one.read_as}`, type: "button" });
    acceptButton.addEventListener("click", () => relabel(one, one.read_as));
    made.append(acceptButton);
  }
  made.append(element("div", { className: "two" }, labelSelect, deleteButton));
  return made;
}

const relabel = telling(async (one, label) => {
  const before = one.label;
  await ask("PATCH", `/v1/samples/${one.id}`, { label });
  count(one, -1);
  one.label = label;
  count(one, 1);
  tell(`Relabelled as ${label}. Train again to use it.`, async () => {
    await ask("PATCH", `/v1/samples/${one.id}`, { label: before });
    await Promise.all([loadTasks(), load()]);
  });
  show();
  await loadTasks();
});

const remove = telling(async (one) => {
  await ask("DELETE", `/v1/samples/${one.id}`);
  count(one, -1);
  results.samples = results.samples.filter((other) => other !== one);
  tell("Deleted. Train again to apply it.", async () => {
    await ask("POST", `/v1/samples/${one.id}/restore`);
    await Promise.all([loadTasks(), load()]);
  });
  show();
  await loadTasks();
});

function count(one, by) {
  const row = results.counts[results.labels.indexOf(one.label)];
  row[one.read_as === null ? row.length - 1 : results.labels.indexOf(one.read_as)] += by;
}

all.addEventListener("click", () => {
  chosen = null;
  show();
});
more.addEventListener("click", () => {
  shown += AT_ONCE;
  show();
});
placeTraining(document.querySelector("#look .training"));

function enter() {
  if (state.tab !== "look" || !current()) return;
  if (results?.task !== state.task) chosen = null;
  load();
}
onChange("tab", enter);
onChange("task", enter);
onTrained(enter);
