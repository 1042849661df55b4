// The live picture: sends frames to the server one at a time, and draws the answers over the picture.

import { checkServer, isServerGone, onServer, tell } from "./api.js";
import * as camera from "./camera.js";
import { drawOver, showCards } from "./seen.js";
import { speak } from "./speak.js";
import { CAMERA_TABS, onChange, state } from "./state.js";

const RETRY_MS = 1000;
const FRESH_MS = 250; // boxes of an older frame fade
const LATE_MS = 3000; // without an answer for so long, the page asks whether the server is there
const SPEEDS = [[150, "Speed: good"], [400, "Speed: fair"], [Infinity, "Speed: slow"]]; // milliseconds from a frame to its answer

const overlay = document.getElementById("overlay");
const reading = document.getElementById("reading");
const figures = document.getElementById("figures");
const seen = document.getElementById("seen");
const empty = document.getElementById("seen-empty");

let socket = null;
let resolveAnswer = null; // resolves with the answer to the sent frame
let running = false;
let sent = { number: -1, time: 0 }; // the last frame of this connection, and when it was taken
let last = null; // the last answer
let lastFrameTime = 0; // when its frame was taken
let times = []; // milliseconds of the last answers

const isActive = () => camera.isOn() && CAMERA_TABS.includes(state.tab) && !document.hidden;

const isOpen = () => socket?.readyState === WebSocket.OPEN;

const answerListeners = [];
const connectListeners = [];

// `then` gets each answer of the server, and the time of the last frame, which the camera still has; it is called when a
// connection is open.
export const onAnswer = (then) => answerListeners.push(then);
export const onConnect = (then) => connectListeners.push(then);

// Sends an object with the next frame. Returns whether there is a connection.
export function sendMessage(message) {
  if (!isOpen()) return false;
  socket.send(JSON.stringify(message));
  return true;
}

// A change of the task is visible anyway; only errors of its model need a message.
const isRoutine = (line, answer) => line.endsWith("…") || line === answer.task || line.startsWith(`${answer.task}, trained`);

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(`${scheme}//${location.host}/v1/stream?task=${encodeURIComponent(state.task)}`);
  socket = opened;
  sent = { number: -1, time: 0 };
  return new Promise((resolve, reject) => {
    opened.onopen = () => {
      for (const then of connectListeners) then();
      resolve();
    };
    opened.onerror = reject;
    opened.onclose = () => {
      reject(new Error("closed"));
      if (socket !== opened) return; // a newer one is in use
      socket = null;
      resolveAnswer?.(null);
    };
    opened.onmessage = (event) => {
      const answer = JSON.parse(event.data);
      for (const line of answer.notices ?? []) if (!isRoutine(line, answer)) tell(line);
      if (answer.problem) tell(`${answer.problem.what}: ${answer.problem.found}. ${answer.problem.remedy}`);
      for (const then of answerListeners) then(answer, sent.time);
      if (answer.frame === undefined || answer.frame === sent.number) resolveAnswer?.(answer);
    };
  });
}

async function run() {
  if (running) return;
  running = true;
  requestAnimationFrame(age);
  while (isActive()) {
    try {
      if (!isOpen()) await connect();
      await camera.nextFrame();
      const time = performance.now();
      const frame = await camera.grab();
      if (!frame || !isActive() || !isOpen()) continue;
      const answered = new Promise((resolve) => (resolveAnswer = resolve));
      sent = { number: sent.number + 1, time };
      socket.send(frame);
      const late = setTimeout(checkServer, LATE_MS);
      const answer = await answered;
      clearTimeout(late);
      resolveAnswer = null;
      if (answer?.regions) show(answer, time);
      else if (answer?.problem) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } catch {
      await checkServer();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  socket?.close();
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
  empty.hidden = isServerGone() || Boolean(answer?.regions.length);
  if (!answer) {
    figures.textContent = "";
    times = [];
    return;
  }
  times = [...times.slice(-19), performance.now() - frameTime];
  const median = [...times].sort((a, b) => a - b)[times.length >> 1];
  const server = Object.values(answer.stages_ms).reduce((sum, ms) => sum + ms, 0);
  figures.textContent = SPEEDS.find(([limit]) => median < limit)[1];
  const stages = Object.entries(answer.stages_ms).map(([stage, ms]) => `${stage} ${ms.toFixed(1)} ms`).join(", ");
  figures.title = `${median.toFixed(0)} ms per frame, ${server.toFixed(0)} ms of it on the server: ${stages}`;
}

onServer(() => {
  if (isServerGone()) show(null);
  else socket?.close(); // what was sent meanwhile gets no answer
});
camera.onPicture(run);
onChange("tab", run);
document.addEventListener("visibilitychange", run);
onChange("task", () => {
  times = [];
  sendMessage({ task: state.task });
});
