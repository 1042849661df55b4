// From a region of the picture to a network's input, as recognizer/preprocess/pictures.py.

import { clip, median, rint } from "./arithmetic.js";
import { pictures as K } from "./constants.js";
import { crop, gray, part, plane, resize } from "./images.js";

const FAR = 1e9; // further than any distance in a picture
const SQUARE = [[1, 1], [0, 1], [-1, 1], [1, 0], [0, 0], [-1, 0], [1, -1], [0, -1], [-1, -1]];

// A hand as (28, 28) grey levels.
export function handImage(picture, box) {
  const found = gray(crop(picture, box));
  if (found.width === K.SIDE && found.height === K.SIDE) return found;
  return resize(found, K.SIDE, K.SIDE, Math.min(found.width, found.height) > K.SIDE);
}

export const planeInput = (image) => Float32Array.from(image.data);

// A region's colours as (side, side, 3) in the order blue, green, red: padded to a square by replicating its edges, then resized.
export function colourInput(picture, box, side) {
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  const [across, down] = [Math.max(0, height - width), Math.max(0, width - height)];
  const square = part(crop(picture, box), [-(across >> 1), -(down >> 1), width + across - (across >> 1), height + down - (down >> 1)], null);
  const { data } = resize(square, side, side, side < square.width);
  const input = new Float32Array(3 * side * side);
  for (let pixel = 0; pixel < side * side; pixel += 1) for (let channel = 0; channel < 3; channel += 1) input[3 * pixel + channel] = data[4 * pixel + 2 - channel];
  return input;
}

// Ink in MNIST's format: fitted into a 20x20 box, centred by mass in 28x28. All 0 without ink.
export function mnistImage(ink) {
  let found = trim(ink);
  if (!found) return plane(K.SIDE, K.SIDE);
  if (Math.max(found.width, found.height) !== K.BOX) found = fit(normaliseStrokeWidth(fit(found, K.BOX * K.OVERSAMPLING)), K.BOX);
  const peak = found.data.reduce((highest, level) => Math.max(highest, level), 0);
  if (peak > 0 && peak < 255) found = { ...found, data: found.data.map((level) => clip(rint(Math.fround(level * Math.fround(255 / peak))), 0, 255)) };
  return centredByMass(found, K.SIDE);
}

// The box of the pixels that are not 0, or null.
export function boundsOf({ data, width }) {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -1, -1];
  data.forEach((level, index) => {
    if (!level) return;
    const [x, y] = [index % width, Math.floor(index / width)];
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
  });
  return x2 < 0 ? null : [x1, y1, x2 + 1, y2 + 1];
}

function trim(ink) {
  const box = boundsOf(ink);
  return box && crop(ink, box);
}

function fit(ink, longSide) {
  const scale = longSide / Math.max(ink.width, ink.height);
  return resize(ink, Math.max(1, rint(ink.width * scale)), Math.max(1, rint(ink.height * scale)), scale < 1);
}

function normaliseStrokeWidth(ink) {
  const [low, high] = K.STROKE_RANGE.map((limit) => limit * K.OVERSAMPLING);
  const width = strokeWidth(ink);
  if (width < low) {
    const size = Math.max(2, rint(K.STROKE * K.OVERSAMPLING - width) + 1);
    const margin = (size >> 1) + 1;
    const framed = part(ink, [-margin, -margin, ink.width + margin, ink.height + margin], 0);
    return trim(filtered(framed, disc(size), Math.max));
  }
  if (width > high) return trim(filtered(ink, disc(rint(width - high) + 1), Math.min)) ?? ink;
  return ink;
}

// Median width of the strokes in pixels: twice the distance from their centre line to their edge.
export function strokeWidth(ink) {
  const framed = part(ink, [-1, -1, ink.width + 1, ink.height + 1], 0);
  const distances = distanceTransform(framed);
  const highest = filtered({ ...framed, data: distances }, SQUARE, Math.max).data;
  const centres = distances.filter((distance, index) => distance > 0.5 && distance >= highest[index]);
  return centres.length ? 2 * Math.fround(median(centres)) : 0;
}

// Like cv2.distanceTransform with DIST_L2 and a 3x3 mask: the distance of ink above 127 to the next pixel without.
function distanceTransform({ data, width, height }) {
  const [straight, diagonal] = [0.955, 1.3693].map(Math.fround);
  const distances = Float32Array.from(data, (level) => (level > 127 ? FAR : 0));
  const relax = (x, y, sign) => {
    const index = y * width + x;
    const at = (dx, dy) => (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height ? FAR : distances[(y + dy) * width + x + dx]);
    distances[index] = Math.min(distances[index], at(-sign, 0) + straight, at(0, -sign) + straight, at(-1, -sign) + diagonal, at(1, -sign) + diagonal);
  };
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) relax(x, y, 1);
  for (let y = height - 1; y >= 0; y -= 1) for (let x = width - 1; x >= 0; x -= 1) relax(x, y, -1);
  return distances;
}

// Dilation or erosion: the highest or lowest level of the pixels at some offsets. Pixels outside the picture are 0 for Math.min.
export function filtered({ data, width, height }, offsets, choose) {
  const outside = choose === Math.min ? 0 : -Infinity;
  const found = new data.constructor(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let chosen = choose === Math.min ? Infinity : -Infinity;
      for (const [dx, dy] of offsets) {
        const [px, py] = [x + dx, y + dy];
        chosen = choose(chosen, px < 0 || px >= width || py < 0 || py >= height ? outside : data[py * width + px]);
      }
      found[y * width + x] = chosen;
    }
  }
  return { data: found, width, height };
}

// The offsets of cv2.getStructuringElement(MORPH_ELLIPSE) around its anchor.
function disc(size) {
  const radius = size >> 1;
  const offsets = [];
  for (let row = 0; row < size; row += 1) {
    const dy = row - radius;
    if (Math.abs(dy) > radius) continue;
    const dx = rint(radius * Math.sqrt((radius * radius - dy * dy) / (radius * radius)));
    for (let column = Math.max(radius - dx, 0); column < Math.min(radius + dx + 1, size); column += 1) offsets.push([column - radius, dy]);
  }
  return offsets;
}

function centredByMass({ data, width, height }, side) {
  let [mass, massX, massY] = [0, 0, 0];
  data.forEach((level, index) => {
    mass += level;
    massX += level * (index % width);
    massY += level * Math.floor(index / width);
  });
  const left = clip(rint((side - 1) / 2 - massX / (mass || 1)), 0, side - width);
  const top = clip(rint((side - 1) / 2 - massY / (mass || 1)), 0, side - height);
  const image = plane(side, side);
  for (let row = 0; row < height; row += 1) image.data.set(data.subarray(row * width, (row + 1) * width), (top + row) * side + left);
  return image;
}
