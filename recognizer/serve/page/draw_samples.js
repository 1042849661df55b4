// Saves the drawing as a sample of a label.

import { ask, element, named, tell, telling } from "./api.js";
import { drawing } from "./draw.js";
import { current, isDrawable, loadTasks, onChange, state } from "./state.js";

const labels = document.getElementById("draw-labels");

function showLabels() {
  const there = isDrawable() ? current().labels : [];
  document.getElementById("draw-keep").hidden = !there.length;
  labels.replaceChildren(...there.map((label) => {
    const button = element("button", { textContent: label });
    button.addEventListener("click", telling(async () => {
      await ask("POST", `/v1/samples?${named(state.task, `label=${encodeURIComponent(label)}`)}`, await picture());
      tell(`Saved as a sample of ${label}.`);
      await loadTasks();
    }));
    return button;
  }));
}

const picture = () => new Promise((resolve) => drawing().toBlob(resolve, "image/png"));

onChange("tasks", showLabels);
onChange("task", showLabels);
