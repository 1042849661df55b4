// Runs the golden inputs, and compares the answers with those of the program that exported the model.

import { openOnce } from "./answers.js";
import { element } from "./dom.js";
import { answered, checkedFile } from "./model.js";
import { Recognizer } from "./recognizer.js";

const TOLERANCE = 1e-3; // of a probability

const result = document.getElementById("check-result");
const progress = document.getElementById("check-progress");
const list = document.getElementById("check-differences");

export async function check() {
  try {
    const opened = await openOnce();
    const golden = await (await answered(opened.model.golden.file)).json();
    const [reasons, differences] = [changes(opened.model, golden), []];
    for (const file of Object.keys(opened.model.files)) await checkedFile(opened.model, file);
    for (const [index, input] of golden.inputs.entries()) {
      const reason = await difference(opened, input);
      if (reason) differences.push(`${input.file}: ${reason}`);
      progress.value = (index + 1) / golden.inputs.length;
    }
    const same = golden.inputs.length - differences.length;
    result.textContent = `The exported model answers the same on ${same} of ${golden.inputs.length}.`;
    list.replaceChildren(...[...reasons, ...differences].map((reason) => element("li", { textContent: reason })));
  } catch (error) {
    result.textContent = `The check failed: ${error.message}`;
  }
  progress.hidden = true;
}

// What in model.json is not as it was when the golden inputs were answered.
function changes(model, golden) {
  const known = { labels: model.labels, rejection: model.rejection, preprocessing: model.preprocessing.version };
  return Object.entries(known).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(golden[name]))
    .map(([name, value]) => `model.json has the ${name} ${JSON.stringify(value)}, and the golden answers were given with ${JSON.stringify(golden[name])}`);
}

// Why the answer to an input differs; "" if it does not.
async function difference(opened, input) {
  const folder = opened.model.golden.file.replace(/[^/]*$/, "");
  const recognizer = new Recognizer(opened, false);
  const picture = await pictureOf(folder + input.file);
  for (const region of input.regions) {
    const ink = region.ink && planeOf(await pictureOf(folder + region.ink));
    const reason = scoresDiffer(await recognizer.classifier.scores(picture, { box: region.box_xyxy, ink, turn: region.turn, hand: region.hand, mirroredHand: region.mirrored_hand }), region);
    if (reason) return reason;
  }
  const { text } = await recognizer.read(picture);
  return text === input.text ? "" : `the program read "${input.text}", and here it is "${text}"`;
}

// `region`: an answer of the program, with the probabilities of its labels and, last, of none of them.
function scoresDiffer({ probabilities }, region) {
  if (probabilities.length !== region.probabilities.length) return `it has ${probabilities.length} probabilities, and the program had ${region.probabilities.length}`;
  const most = Math.max(...region.probabilities.map((share, index) => Math.abs(share - probabilities[index])));
  return most <= TOLERANCE ? "" : `a probability differs by ${most.toFixed(4)}`;
}

async function pictureOf(file) {
  const bitmap = await createImageBitmap(await (await answered(file)).blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, bitmap.width, bitmap.height);
}

// The grey levels of a picture.
function planeOf({ data, width, height }) {
  return { data: Uint8Array.from({ length: width * height }, (_, pixel) => data[4 * pixel]), width, height };
}
