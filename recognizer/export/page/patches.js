// What the networks see of a proposed character, as recognizer/finders/ink.py and verifier.py.

import { clip, mean, range, rint, sigmoid, softmax } from "./arithmetic.js";
import { longerOf } from "./characters.js";
import { ink as I, verifier as V } from "./constants.js";
import { crop, part, plane, resize, warpAffine } from "./images.js";
import { boundsOf, filtered } from "./pictures.js";

const { PATCH } = I;
const SQUARE_5 = range(25).map((index) => [(index % 5) - 2, Math.floor(index / 5) - 2]);

// From pixels of the frame to pixels of the patch: scale, and shift in x and y. The box's longer side takes `share` of the patch.
function place(box, share) {
  const scale = (share * PATCH) / Math.max(longerOf(box), 1);
  const shift = [0, 1].map((axis) => (PATCH - 1) / 2 - (scale * (box[axis] + box[axis + 2])) / 2);
  return { scale, shift };
}

// The normalised patch, in the order blue, green, red, and its levels per grey level.
function patchOf(picture, { scale, shift }) {
  const { data, step } = scale < 1 ? shrunk(picture, scale, shift) : { data: warpAffine(picture, [0, 0, picture.width, picture.height], [scale, 0, shift[0], 0, scale, shift[1]], PATCH), step: 3 };
  const channels = [2, 1, 0].map((channel) => Float64Array.from({ length: PATCH * PATCH }, (_, pixel) => data[step * pixel + channel]));
  const means = channels.map((levels) => mean(levels));
  const variance = mean(channels.map((levels, channel) => mean(levels.map((level) => (level - means[channel]) ** 2))));
  const factor = I.STEPS / Math.max(I.MIN_SPREAD, Math.sqrt(variance));
  const values = new Float32Array(3 * PATCH * PATCH);
  for (let pixel = 0; pixel < PATCH * PATCH; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) values[3 * pixel + channel] = Math.trunc(clip((channels[channel][pixel] - means[channel]) * factor, -127, 127)) / I.STEPS;
  }
  return { values, factor };
}

function shrunk(picture, scale, shift) {
  const start = shift.map((value) => -value / scale - 0.5 * (1 / scale - 1));
  const box = [...start.map(rint), ...start.map((value) => rint(value + PATCH / scale))];
  return { data: resize(part(picture, box, null), PATCH, PATCH, true).data, step: 4 };
}

// The picture at full size, half, quarter and so on, down to at least PATCH pixels.
export function pyramid(picture) {
  const levels = [picture];
  while (Math.min(levels.at(-1).width, levels.at(-1).height) >= 2 * PATCH) {
    levels.push(resize(levels.at(-1), rint(levels.at(-1).width / 2), rint(levels.at(-1).height / 2), true));
  }
  return levels;
}

function viewOf(levels, box, share) {
  const level = clip(Math.trunc(Math.log2(1 / place(box, share).scale)) - 1, 0, levels.length - 1);
  const reduced = box.map((side) => side / 2 ** level);
  return patchOf(levels[level], place(reduced, share)).values;
}

// {score, readings, box}: whether the box shows a character, the probability of each digit and of others, and the refined box.
export async function verified(network, levels, box) {
  const [near, far] = [V.CLOSE_UP_SHARE, V.CONTEXT_SHARE].map((share) => viewOf(levels, box, share));
  const input = new Float32Array(6 * PATCH * PATCH);
  for (let pixel = 0; pixel < PATCH * PATCH; pixel += 1) {
    input.set(near.subarray(3 * pixel, 3 * pixel + 3), 6 * pixel);
    input.set(far.subarray(3 * pixel, 3 * pixel + 3), 6 * pixel + 3);
  }
  const [outputs] = await network.run(input);
  const longer = longerOf(box);
  return {
    score: sigmoid(outputs[0]),
    readings: softmax(outputs.subarray(1, V.OTHER + 2)),
    box: box.map((side, index) => side + longer * outputs[V.OTHER + 2 + index]),
  };
}

// The region {box, ink, contrast, …} of a character; null without ink.
export async function cutOutInk(network, picture, character) {
  const at = place(character.box, I.SHARE);
  const { values, factor } = patchOf(picture, at);
  const [logits] = await network.run(values);
  const all = { data: Uint8Array.from(logits, (logit) => 255 * sigmoid(logit)), width: PATCH, height: PATCH };
  const own = withoutNeighbours(all, at, character.box);
  const box = inkBox(own, at, picture);
  if (!box) return null;
  return { ...character, box, ink: cropped(own), contrast: (contrastOf(own, values) * I.STEPS) / factor };
}

const above = ({ data, width, height }, threshold) => ({ data: data.map((level) => (level > threshold ? 255 : 0)), width, height });

// Without ink outside the enlarged box, and without all pieces but the largest that touch its border.
function withoutNeighbours(ink, { scale, shift }, box) {
  const margin = I.BOX_MARGIN * longerOf(box);
  const [left, top] = [0, 1].map((axis) => Math.max(0, Math.floor(scale * (box[axis] - margin) + shift[axis])));
  const [right, bottom] = [2, 3].map((axis) => Math.min(PATCH, Math.ceil(scale * (box[axis] + margin) + shift[axis - 2]) + 1));
  const inside = crop(ink, [left, top, right, bottom]);
  const pieces = components(above(inside, I.EDGE_THRESHOLD));
  if (pieces.length > 1) {
    const largest = pieces.reduce((best, piece) => (piece.pixels.length > best.pixels.length ? piece : best));
    for (const piece of pieces) {
      const touches = piece.box[0] === 0 || piece.box[1] === 0 || piece.box[2] === inside.width || piece.box[3] === inside.height;
      if (piece !== largest && touches) for (const pixel of piece.pixels) inside.data[pixel] = 0;
    }
  }
  const own = plane(PATCH, PATCH);
  for (let row = 0; row < inside.height; row += 1) own.data.set(inside.data.subarray(row * inside.width, (row + 1) * inside.width), (top + row) * PATCH + left);
  return own;
}

// Connected pieces of the pixels that are not 0, eight neighbours a pixel: {pixels, box}.
export function components({ data, width, height }) {
  const seen = new Uint8Array(data.length);
  const pieces = [];
  for (let start = 0; start < data.length; start += 1) {
    if (!data[start] || seen[start]) continue;
    const pixels = [start];
    const box = [width, height, 0, 0];
    seen[start] = 1;
    for (let next = 0; next < pixels.length; next += 1) {
      const [x, y] = [pixels[next] % width, Math.floor(pixels[next] / width)];
      [box[0], box[1], box[2], box[3]] = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
      for (let py = Math.max(0, y - 1); py <= Math.min(height - 1, y + 1); py += 1) {
        for (let px = Math.max(0, x - 1); px <= Math.min(width - 1, x + 1); px += 1) {
          const pixel = py * width + px;
          if (!data[pixel] || seen[pixel]) continue;
          seen[pixel] = 1;
          pixels.push(pixel);
        }
      }
    }
    pieces.push({ pixels, box });
  }
  return pieces;
}

// The bounding box of a patch's ink in whole pixels of the frame; null without ink.
function inkBox(ink, { scale, shift }, { width, height }) {
  const bounds = boundsOf(above(ink, I.INK_THRESHOLD));
  if (!bounds) return null;
  const limits = [width, height];
  const box = bounds.map((side, index) => clip(rint((side - 0.5 - shift[index % 2]) / scale + 0.5), 0, limits[index % 2]));
  return box[0] < box[2] && box[1] < box[3] ? box : null;
}

function cropped(ink) {
  const found = crop(ink, boundsOf(above(ink, I.EDGE_THRESHOLD)));
  return { ...found, data: found.data.map((level) => (level > I.EDGE_THRESHOLD ? level : 0)) };
}

// Difference of the mean levels of the ink and of the background around it, in levels of the patch.
function contrastOf(ink, values) {
  const near = filtered(ink, SQUARE_5, (one, other) => Math.max(one, other));
  const [inside, around] = [[], []];
  ink.data.forEach((level, pixel) => {
    if (level > I.INK_THRESHOLD) inside.push(pixel);
    else if (near.data[pixel] > I.INK_THRESHOLD && level < I.EDGE_THRESHOLD) around.push(pixel);
  });
  if (!around.length) return 0;
  const level = (pixels, channel) => mean(pixels.map((pixel) => values[3 * pixel + channel]));
  return Math.max(...range(3).map((channel) => Math.abs(level(inside, channel) - level(around, channel))));
}
