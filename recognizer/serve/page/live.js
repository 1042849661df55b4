// The live picture: asks for the answer to one frame at a time, and draws it over the picture.

import * as answers from "./answers.js";
import * as camera from "./camera.js";
import { tell } from "./dom.js";
import { drawOver, showCards } from "./seen.js";
import { speak } from "./speak.js";
import { CAMERA_TABS, onChange, state } from "./state.js";

const RETRY_MS = 1000;
const FRESH_MS = 250; // boxes of an older frame fade
const SPEEDS = [[150, "Speed: good"], [400, "Speed: fair"], [Infinity, "Speed: slow"]]; // milliseconds from a frame to its answer

const overlay = document.getElementById("overlay");
const reading = document.getElementById("reading");
const figures = document.getElementById("figures");
const seen = document.getElementById("seen");
const empty = document.getElementById("seen-empty");

let running = false;
let last = null; // the last answer
let lastFrameTime = 0; // when its frame was taken
let times = []; // milliseconds of the last answers

const isActive = () => camera.isOn() && CAMERA_TABS.includes(state.tab) && !document.hidden;

async function run() {
  if (running) return;
  running = true;
  requestAnimationFrame(age);
  while (isActive()) {
    try {
      await answers.open();
      await camera.nextFrame();
      const time = performance.now();
      const answer = await answers.answerTo(camera, isActive, time);
      if (answer?.regions) show(answer, time);
      else if (answer?.problem) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } catch {
      await answers.checkServer();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  answers.close();
  running = false;
  if (!camera.isOn()) show(null);
}

// Fades the boxes of a frame that is no longer the one on the screen.
function age() {
  const ageMs = last && !camera.isStill() ? performance.now() - lastFrameTime : 0;
  overlay.classList.toggle("old", ageMs > FRESH_MS);
  if (running) requestAnimationFrame(age);
}

function show(answer, frameTime) {
  if (last && answer && last.task === answer.task && last.model !== answer.model) tell(`A new model of ${answer.task} is now in use.`);
  last = answer;
  lastFrameTime = frameTime;
  if (answer && answer.task !== state.task) {
    speak("");
    drawOver(overlay, null);
    reading.textContent = "";
    figures.textContent = `Loading ${state.task} …`;
    return;
  }
  drawOver(overlay, answer, camera.isMirrored());
  reading.textContent = answer?.text ?? "";
  speak(reading.textContent);
  showCards(seen, answer?.regions ?? []);
  empty.hidden = answers.isServerGone() || Boolean(answer?.regions.length);
  if (!answer) {
    figures.textContent = "";
    times = [];
    return;
  }
  times = [...times.slice(-19), performance.now() - frameTime];
  const median = [...times].sort((a, b) => a - b)[times.length >> 1];
  const spent = Object.values(answer.stages_ms).reduce((sum, ms) => sum + ms, 0);
  figures.textContent = SPEEDS.find(([limit]) => median < limit)[1];
  const stages = Object.entries(answer.stages_ms).map(([stage, ms]) => `${stage} ${ms.toFixed(1)} ms`).join(", ");
  figures.title = `${median.toFixed(0)} ms per frame, ${spent.toFixed(0)} ms of it ${answers.WHERE}: ${stages}`;
}

answers.onServer(() => {
  if (answers.isServerGone()) show(null);
  else answers.close(); // what was sent meanwhile gets no answer
});
camera.onPicture(run);
onChange("tab", run);
document.addEventListener("visibilitychange", run);
onChange("task", () => {
  times = [];
  answers.changeTask(state.task);
});
