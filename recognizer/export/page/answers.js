// Answers to frames and drawings, computed on this device.

import { openModel } from "./model.js";
import { Recognizer } from "./recognizer.js";
import { model } from "./state.js";
import { withImage } from "./thumbnails.js";

export const WHERE = "in the network and its input"; // where the time of an answer is spent

export const isServerGone = () => false;
export const onServer = () => {};
export const checkServer = async () => {};

const OPTIONS = { willReadFrequently: true }; // of a canvas whose pixels are read each time
let opened = null;
let stream = null; // the recognizer of the camera's frames
let still = null; // the recognizer of single pictures

// Opens the model once.
export const openOnce = () => (opened ??= openModel());

// Resolves when frames can be recognized.
export async function open() {
  stream ??= new Recognizer(await openOnce(), true);
  still ??= new Recognizer(await openOnce(), false);
}

// The answer to the camera's newest frame; null if there is none, or nobody waits for it any more.
export async function answerTo(camera, isWanted) {
  const canvas = camera.grabCanvas(OPTIONS);
  if (!canvas || !isWanted()) return null;
  return answer(camera.isStill() ? still : stream, canvas);
}

export async function answerToDrawing(canvas) {
  await open();
  return answer(still, canvas);
}

async function answer(recognizer, canvas) {
  const picture = canvas.getContext("2d", OPTIONS).getImageData(0, 0, canvas.width, canvas.height);
  const found = await recognizer.read(picture, performance.now() / 1000);
  return { ...found, task: model.task, regions: found.regions.map((region) => withImage(picture, region)) };
}

// A new stream begins: what was seen before no longer counts.
export function close() {
  stream = null;
}

export function changeTask() {}

// A picture file that the browser cannot open: nothing else can open it here.
export async function converted() {
  throw new Error("this browser cannot open HEIC pictures; save it as JPEG or PNG");
}
