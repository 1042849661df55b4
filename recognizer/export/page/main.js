// Starts the page: live and draw, or with ?check in its address the check of the golden inputs.

import { isolated } from "./offline.js";
import { isDrawable, model, started, subject } from "./state.js";

const TABS = isDrawable() ? ["live", "draw"] : ["live"];
const isCheck = new URLSearchParams(location.search).has("check");

function show(error) {
  const banner = document.getElementById("gone");
  banner.textContent = error.message;
  banner.hidden = false;
}

async function start() {
  document.title = `${model.task} – Recognizer`;
  document.getElementById("task").textContent = model.task;
  document.getElementById("tabs").hidden = isCheck || TABS.length === 1;
  document.getElementById("recognizer").hidden = isCheck;
  document.getElementById("check").hidden = !isCheck;
  document.getElementById("seen-empty").textContent = subject().prompt;
  document.getElementById("labels").textContent = `It knows: ${model.labels.join(", ")}.`;
  if (!isDrawable()) document.getElementById("draw").remove();
  if (await isolated()) return; // the page is loaded again
  const { openOnce } = await import("./answers.js");
  if (isCheck) {
    const { check } = await import("./check.js");
    await check();
    return;
  }
  const { startTabs } = await import("./tabs.js");
  await import("./live.js");
  if (isDrawable()) await import("./draw.js");
  document.getElementById("curtain-title").textContent = "The camera is off";
  document.getElementById("start").hidden = false;
  startTabs(TABS);
  started();
  await openOnce();
}

start().catch(show);
