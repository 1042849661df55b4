// The live picture: sends frames to the server one at a time, and draws the answers over the picture.

import { tell } from "./api.js";
import * as camera from "./camera.js";
import { drawOver, showCards } from "./seen.js";
import { onChange, state } from "./state.js";

const RETRY_MS = 1000;

const overlay = document.getElementById("overlay");
const reading = document.getElementById("reading");
const figures = document.getElementById("figures");
const seen = document.getElementById("seen");
const empty = document.getElementById("seen-empty");

let socket = null;
let resolveAnswer = null; // resolves with the answer to the sent frame
let running = false;
let last = null; // the last answer
let times = []; // milliseconds of the last answers

const isActive = () => camera.isOn() && (state.tab === "live" || state.tab === "teach") && !document.hidden;

// A change of the task is visible anyway; only errors of its model need a message.
const isRoutine = (line, answer) => line.endsWith("…") || line === answer.task || line.startsWith(`${answer.task}: model`);

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/v1/stream?task=${encodeURIComponent(state.task)}`);
  return new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
    socket.onclose = () => {
      socket = null;
      reject(new Error("closed"));
      resolveAnswer?.(null);
    };
    socket.onmessage = (event) => {
      const answer = JSON.parse(event.data);
      for (const line of answer.notices ?? []) if (!isRoutine(line, answer)) tell(line);
      if (answer.problem) tell(`${answer.problem.what}: ${answer.problem.found}. ${answer.problem.remedy}`);
      resolveAnswer?.(answer);
    };
  });
}

async function run() {
  if (running) return;
  running = true;
  while (isActive()) {
    try {
      if (socket === null) await connect();
      await camera.nextFrame();
      const frame = await camera.grab();
      if (!frame || !isActive()) continue;
      const sent = performance.now();
      const answered = new Promise((resolve) => (resolveAnswer = resolve));
      socket.send(frame);
      const answer = await answered;
      resolveAnswer = null;
      if (answer?.regions) show(answer, performance.now() - sent);
      else if (answer?.problem) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } catch {
      figures.textContent = "The server does not answer. Trying again …";
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  socket?.close();
  running = false;
  if (!camera.isOn()) show(null);
}

function show(answer, tookMs) {
  if (last && answer && last.task === answer.task && last.model !== answer.model) tell(`A new model of ${answer.task} is now in use.`);
  last = answer;
  if (answer && answer.task !== state.task) {
    drawOver(overlay, null);
    reading.textContent = "";
    figures.textContent = `Loading ${state.task} …`;
    return;
  }
  drawOver(overlay, answer, camera.isMirrored());
  reading.textContent = answer?.text ?? "";
  showCards(seen, answer?.regions ?? []);
  empty.hidden = Boolean(answer?.regions.length);
  if (!answer) {
    figures.textContent = "";
    times = [];
    return;
  }
  times = [...times.slice(-19), tookMs];
  const median = [...times].sort((a, b) => a - b)[times.length >> 1];
  const server = Object.values(answer.stages_ms).reduce((sum, ms) => sum + ms, 0);
  figures.textContent = `${median.toFixed(0)} ms per frame, ${server.toFixed(0)} ms of it on the server`;
  figures.title = Object.entries(answer.stages_ms).map(([stage, ms]) => `${stage} ${ms.toFixed(1)} ms`).join(", ");
}

camera.onPicture(run);
onChange("tab", run);
document.addEventListener("visibilitychange", run);
onChange("task", () => {
  times = [];
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ task: state.task }));
});
