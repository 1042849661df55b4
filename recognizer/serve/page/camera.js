// The picture source: the camera or a file. If there is no picture, a message explains why.

import { element } from "./api.js";

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
const file = document.getElementById("file");

const encoder = document.createElement("canvas"); // encodes frames as JPEG
let source = null; // the video or the still canvas, while it shows something
let onStart = () => {};

export const isOn = () => source !== null;
export const isStill = () => source === still;
export const isMirrored = () => source === video && mirror.checked;

export function onPicture(then) {
  onStart = then;
}

// The picture as a JPEG Blob, or null while there is none.
export function grab() {
  if (source === null) return Promise.resolve(null);
  const [width, height] = source === video ? [video.videoWidth, video.videoHeight] : [still.width, still.height];
  if (!width) return Promise.resolve(null);
  const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
  encoder.width = Math.round(width * scale);
  encoder.height = Math.round(height * scale);
  encoder.getContext("2d", { alpha: false }).drawImage(source, 0, 0, encoder.width, encoder.height);
  return new Promise((resolve) => encoder.toBlob(resolve, "image/jpeg", QUALITY));
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
      "Browsers allow it only on the server's own machine or over https. Start the server with --certificate and --key. " +
      "Until then, open a picture (a phone can take one), or write on the Draw page.");
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
  stopButton.hidden = false;
  await listDevices();
}

export function stop() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  source = null;
  stage.classList.remove("mirrored");
  stopButton.hidden = true;
  showMessage("The camera is off", "Start it, open a picture, or write on the Draw page.");
}

function show(what, width, height) {
  source = what;
  curtain.hidden = true;
  still.hidden = what !== still;
  video.hidden = what !== video;
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
    NotFoundError: ["No camera was found", "Plug one in and start it, open a picture, or write on the Draw page."],
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

async function openFile() {
  const [chosen] = file.files;
  file.value = "";
  if (!chosen) return;
  let bitmap;
  try {
    bitmap = await createImageBitmap(chosen, { imageOrientation: "from-image" });
  } catch {
    showMessage("The picture cannot be opened", "Use a JPEG, PNG or WebP picture.");
    return;
  }
  if (video.srcObject) stop();
  const scale = Math.min(1, LONG_SIDE / Math.max(bitmap.width, bitmap.height));
  still.width = Math.round(bitmap.width * scale);
  still.height = Math.round(bitmap.height * scale);
  const context = still.getContext("2d", { alpha: false });
  context.fillStyle = "white";
  context.fillRect(0, 0, still.width, still.height);
  context.drawImage(bitmap, 0, 0, still.width, still.height);
  show(still, still.width, still.height);
}

startButton.addEventListener("click", start);
stopButton.addEventListener("click", stop);
devices.addEventListener("change", () => {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  start();
});
mirror.addEventListener("change", () => stage.classList.toggle("mirrored", isMirrored()));
file.addEventListener("change", openFile);
