// The answers of the server to frames and drawings. The exported page has another module of this name, which computes them.

import { ask, checkServer, named, request, tell } from "./api.js";
import { state } from "./state.js";

export { checkServer, isServerGone, onServer } from "./api.js";

const LATE_MS = 3000; // without an answer for so long, the page asks whether the server is there
export const WHERE = "on the server"; // where the time of an answer is spent

let socket = null;
let resolveAnswer = null; // resolves with the answer to the sent frame
let sent = { number: -1, time: 0 }; // the last frame of this connection, and when it was taken

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

const isOpen = () => socket?.readyState === WebSocket.OPEN;

// A change of the task is visible anyway; only errors of its model need a message.
const isRoutine = (line, answer) => line.endsWith("…") || line === answer.task || line.startsWith(`${answer.task}, trained`);

// Resolves when frames can be sent.
export async function open() {
  if (!isOpen()) await connect();
}

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

// The answer to the camera's newest frame, which was taken at `time`; null if there is none, or nobody waits for it any more.
export async function answerTo(camera, isWanted, time) {
  const frame = await camera.grab();
  if (!frame || !isWanted() || !isOpen()) return null;
  const answered = new Promise((resolve) => (resolveAnswer = resolve));
  sent = { number: sent.number + 1, time };
  socket.send(frame);
  const late = setTimeout(checkServer, LATE_MS);
  const answer = await answered;
  clearTimeout(late);
  resolveAnswer = null;
  return answer;
}

export function close() {
  socket?.close();
}

export function changeTask(task) {
  sendMessage({ task });
}

// The answer to a drawing on a canvas.
export async function answerToDrawing(canvas, task) {
  const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return ask("POST", `/v1/predict?${named(task, "images=true")}`, picture);
}

// A picture file that the browser cannot open, as one that it can. Raises an error if the server cannot, either.
export async function converted(picture) {
  const answer = await request("POST", "/v1/convert", picture);
  return answer.blob();
}
