// The picture source: the camera or a file. If there is no picture, a message explains why.

import { converted } from "./answers.js";
import { element, tell } from "./dom.js";
import { current, INSECURE, onChange, subject } from "./state.js";

const DRAW = document.getElementById("draw") ? ", or write on the Draw page" : "";
const LONG_SIDE = 1280; // pixels of a sent frame, as in the window
const QUALITY = 0.92;

const stage = document.getElementById("stage");
const video = document.getElementById("video");
const still = document.getElementById("still");
const curtain = document.getElementById("curtain");
const title = document.getElementById("curtain-title");
const words = document.getElementById("curtain-words");
const startButton = document.getElementById("start");
const stopButton = document.getElementById("stop");
const devices = document.getElementById("device");
const mirror = document.getElementById("mirror");
const keep = document.getElementById("keep-as"); // only for a picture from a file, and where samples can be kept
const file = document.getElementById("file");

const grabbed = document.createElement("canvas");
let source = null; // the video or the still canvas, while it shows something
const mirroring = new Map(); // what the user has chosen, by subject
let onStart = () => {};

export const isOn = () => source !== null;
export const isStill = () => source === still;
export const isMirrored = () => source === video && mirror.checked;

export function onPicture(then) {
  onStart = then;
}

// The picture in a canvas, which the next call uses again, or null while there is none. `options`: of the canvas' context.
export function grabCanvas(options) {
  if (source === null) return null;
  const [width, height] = source === video ? [video.videoWidth, video.videoHeight] : [still.width, still.height];
  if (!width) return null;
  const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
  grabbed.width = Math.round(width * scale);
  grabbed.height = Math.round(height * scale);
  grabbed.getContext("2d", { alpha: false, ...options }).drawImage(source, 0, 0, grabbed.width, grabbed.height);
  return grabbed;
}

// The picture as a JPEG Blob, or null while there is none.
export async function grab() {
  const canvas = grabCanvas();
  return canvas && new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

// The part [x1, y1, x2, y2] of the last grabbed frame as a canvas, mirrored if the display is.
export function part([x1, y1, x2, y2]) {
  const canvas = element("canvas", { width: x2 - x1, height: y2 - y1 });
  const pen = canvas.getContext("2d");
  if (isMirrored()) pen.setTransform(-1, 0, 0, 1, canvas.width, 0);
  pen.drawImage(grabbed, -x1, -y1);
  return canvas;
}

// Resolves when the next frame is available.
export function nextFrame() {
  if (source === video && video.requestVideoFrameCallback) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 250); // a hidden page gets no frames
      video.requestVideoFrameCallback(() => (clearTimeout(timer), resolve()));
    });
  }
  return new Promise((resolve) => setTimeout(resolve, source === still ? 200 : 33));
}

export async function start() {
  if (!navigator.mediaDevices?.getUserMedia) {
    showMessage("The browser does not allow the camera on this page",
      `${INSECURE} Until then, open a picture (a phone can take one)${DRAW}.`);
    return;
  }
  showMessage("Waiting for the camera", "Allow it if the browser asks.");
  startButton.hidden = true;
  const constraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  if (devices.value) constraints.deviceId = { exact: devices.value };
  else constraints.facingMode = "user";
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    await video.play();
  } catch (error) {
    explain(error);
    return;
  }
  video.srcObject.getVideoTracks()[0].addEventListener("ended", () => {
    stop();
    showMessage("The camera was disconnected", "It was unplugged, or another program uses it. Plug it in and start it again.");
  });
  show(video, video.videoWidth, video.videoHeight);
  await listDevices();
}

export function stop() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  source = null;
  stage.classList.remove("mirrored");
  stopButton.hidden = true;
  keep?.setAttribute("hidden", "");
  showMessage("The camera is off", `Start it, open a picture${DRAW}.`);
}

function show(what, width, height) {
  source = what;
  curtain.hidden = true;
  still.hidden = what !== still;
  video.hidden = what !== video;
  stopButton.hidden = false;
  keep?.toggleAttribute("hidden", what !== still);
  stopButton.textContent = what === video ? "Stop camera" : "Close picture";
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `calc((100vh - 170px) * ${width / height})`;
  stage.classList.toggle("mirrored", isMirrored());
  onStart();
}

function showMessage(head, line) {
  curtain.hidden = false;
  startButton.hidden = false;
  title.textContent = head;
  words.textContent = line;
}

function explain(error) {
  const reasons = {
    NotAllowedError: ["The camera is blocked", "Allow it next to the browser's address bar, then start it again. Or open a picture."],
    NotFoundError: ["No camera was found", `Plug one in and start it, open a picture${DRAW}.`],
    NotReadableError: ["The camera is busy", "Another program uses it. Close that program, then start the camera again."],
    OverconstrainedError: ["That camera is not connected any more", "Choose another one and start it again."],
  };
  devices.value = "";
  showMessage(...(reasons[error.name] ?? ["The camera did not start", `${error.message || error.name}. Try again, or open a picture.`]));
}

async function listDevices() {
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
  const used = video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
  devices.replaceChildren(...cameras.map((one, index) =>
    element("option", { value: one.deviceId, textContent: one.label || `Camera ${index + 1}`, selected: one.deviceId === used })));
  devices.hidden = cameras.length < 2;
}

// Whether a file begins as HEIC pictures do, which most browsers cannot open.
async function isHeic(picture) {
  const head = new TextDecoder("latin1").decode(await picture.slice(4, 12).arrayBuffer());
  return /^ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)/.test(head);
}

// Decodes a picture file, turned upright. Raises an error.
async function decoded(picture) {
  const upright = { imageOrientation: "from-image" };
  try {
    return await createImageBitmap(picture, upright);
  } catch {
    if (await isHeic(picture)) {
      return createImageBitmap(await converted(picture), upright);
    }
    throw new Error("it cannot be opened as a picture");
  }
}

// Draws a picture file into a canvas, in the size of a sent frame. Raises an error if it cannot be opened.
async function drawFile(picture, canvas) {
  const bitmap = await decoded(picture);
  const scale = Math.min(1, LONG_SIDE / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
}

// A picture file as a JPEG Blob in the size of a sent frame.
export async function asJpeg(picture) {
  const canvas = document.createElement("canvas");
  await drawFile(picture, canvas);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

async function openFile() {
  const [chosen] = file.files;
  file.value = "";
  if (!chosen) return;
  const opened = document.createElement("canvas");
  try {
    await drawFile(chosen, opened);
  } catch (error) {
    const reason = `${chosen.name} cannot be opened as a picture.`;
    const remedy = error.body?.remedy ?? "Use a JPEG, PNG or WebP picture.";
    if (isOn()) tell(`${reason} ${remedy}`);
    else showMessage(reason, remedy);
    return;
  }
  if (video.srcObject) stop();
  still.width = opened.width;
  still.height = opened.height;
  still.getContext("2d", { alpha: false }).drawImage(opened, 0, 0);
  show(still, still.width, still.height);
}

startButton.addEventListener("click", start);
stopButton.addEventListener("click", stop);
devices.addEventListener("change", () => {
  stop();
  start();
});
mirror.addEventListener("change", () => {
  mirroring.set(current()?.region, mirror.checked);
  stage.classList.toggle("mirrored", isMirrored());
});
function showMirroring() {
  mirror.checked = mirroring.get(current()?.region) ?? subject()?.mirrored ?? false;
  stage.classList.toggle("mirrored", isMirrored());
}
for (const what of ["task", "tasks", "subjects"]) onChange(what, showMirroring);
file.addEventListener("change", openFile);
