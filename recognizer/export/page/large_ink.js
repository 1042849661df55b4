// Finds large writing on plain paper by its contrast, which the networks see only parts of: a drawing, or a close-up.
// The program does more here: recognizer/finders/contrast.py also removes paper lines.

import { clip, heightOf, overlapOf, range, rint, widthOf } from "./arithmetic.js";
import { contrast as K } from "./constants.js";
import { gray, plane, resize } from "./images.js";
import { components } from "./patches.js";
import { longerOf } from "./characters.js";

const JOIN = 0.08; // of the larger piece's size: a smaller piece at this distance is a part of it

// Regions {box, ink, contrast, isLight} in a picture.
export function largeInk(picture) {
  const level = gray(picture);
  const factor = Math.min(1, K.WORK_SIDE / Math.max(level.width, level.height));
  const work = factor < 1 ? resize(level, Math.max(1, rint(level.width * factor)), Math.max(1, rint(level.height * factor)), true) : level;
  return [false, true].flatMap((isLight) => inkOf(work, isLight)).map((region) => ({ ...region, box: region.box.map((side, index) =>
    clip(rint(side / factor), 0, index % 2 ? picture.height : picture.width)) }));
}

function inkOf(work, isLight) {
  const found = contrastOf(work, isLight);
  const short = Math.min(work.width, work.height);
  const strongest = Float64Array.from(found.data).sort().at(-Math.ceil(found.data.length / 400));
  const threshold = Math.max(4 * K.MIN_CONTRAST, K.PEAK_SHARE * strongest);
  const mask = { ...found, data: found.data.map((value) => (value > threshold ? 255 : 0)) };
  const pieces = components(mask).filter(({ box }) => longerOf(box) >= K.MIN_PIECE * short);
  if (pieces.length > K.MAX_PIECES) return []; // a texture
  return joined(pieces).filter(({ box }) => fits(box, work)).map((group) => ({ box: group.box, isLight, ...cut(found, group, threshold) }));
}

// How much darker (or lighter) each pixel is than its background: the highest (lowest) level around it, smoothed.
function contrastOf(work, isLight) {
  const small = resize(work, Math.max(1, work.width >> 2), Math.max(1, work.height >> 2), true);
  const reach = Math.max(1, Math.floor((K.GROUND_REACH * Math.min(small.width, small.height)) / 2));
  const [first, second] = isLight ? [Math.min, Math.max] : [Math.max, Math.min];
  const closed = [first, second].reduce((image, choose) => rows(transposed(rows(transposed(image), reach, choose)), reach, choose), small);
  const ground = resize(closed, work.width, work.height, false);
  const found = plane(work.width, work.height);
  found.data.forEach((_, index) => {
    const [paper, own] = [ground.data[index], work.data[index]];
    found.data[index] = isLight ? Math.max(0, own - paper) : (255 * Math.max(0, paper - own)) / Math.max(paper, K.DARKEST_PAPER);
  });
  return found;
}

// The highest or lowest level within `reach` pixels in the same row.
function rows({ data, width, height }, reach, choose) {
  const found = plane(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let chosen = data[y * width + x];
      for (let px = Math.max(0, x - reach); px <= Math.min(width - 1, x + reach); px += 1) chosen = choose(chosen, data[y * width + px]);
      found.data[y * width + x] = chosen;
    }
  }
  return found;
}

function transposed({ data, width, height }) {
  const found = plane(height, width);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) found.data[x * height + y] = data[y * width + x];
  return found;
}

// Pieces of one character: a smaller one that overlaps a larger one, or nearly touches it.
function joined(pieces) {
  const groups = pieces.map((piece) => ({ ...piece })).sort((one, other) => longerOf(other.box) - longerOf(one.box));
  for (let small = groups.length - 1; small > 0; small -= 1) {
    const piece = groups[small];
    const large = groups.slice(0, small).find(({ box }) => longerOf(piece.box) < K.FRAGMENT * longerOf(box) && isNear(box, piece.box));
    if (!large) continue;
    large.pixels = [...large.pixels, ...piece.pixels];
    large.box = [0, 1, 2, 3].map((side) => (side < 2 ? Math.min : Math.max)(large.box[side], piece.box[side]));
    groups.splice(small, 1);
  }
  return groups;
}

function isNear(box, other) {
  const margin = JOIN * longerOf(box);
  return overlapOf([box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin], other) > 0;
}

function fits(box, { width, height }) {
  const touches = box[0] <= 1 || box[1] <= 1 || box[2] >= width - 1 || box[3] >= height - 1;
  return !touches && heightOf(box) >= K.MIN_HEIGHT * height && widthOf(box) <= 2.5 * heightOf(box);
}

// The ink of a group: its contrast, stretched above a quarter of the strongest one, which removes the blurred edge of strokes.
function cut(found, { box, pixels }, threshold) {
  const [width, height] = [widthOf(box), heightOf(box)];
  const levels = pixels.map((pixel) => found.data[pixel]).sort((one, other) => one - other);
  const peak = levels[Math.floor(levels.length * 0.9)];
  const low = Math.min(0.25 * peak, threshold);
  const ink = plane(width, height);
  for (const pixel of pixels) {
    for (const [dx, dy] of range(9).map((index) => [(index % 3) - 1, Math.floor(index / 3) - 1])) {
      const [x, y] = [(pixel % found.width) + dx, Math.floor(pixel / found.width) + dy];
      if (x < box[0] || x >= box[2] || y < box[1] || y >= box[3]) continue;
      const level = found.data[y * found.width + x];
      ink.data[(y - box[1]) * width + x - box[0]] = clip(((level - low) * 255) / Math.max(1, peak - low), 0, 255);
    }
  }
  return { ink, contrast: peak };
}
