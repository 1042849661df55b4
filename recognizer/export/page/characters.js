// Proposes boxes of characters with a small network on an image pyramid, as recognizer/finders/characters.py.

import { areaOf, clip, heightOf, overlapOf, range, rint, sigmoid, sum, widthOf } from "./arithmetic.js";
import { characters as K } from "./constants.js";
import { resize } from "./images.js";

const OUTPUTS = 6; // of each cell: score, box, polarity
const TONE = Float32Array.from(range(256), (level) => (Math.log(level + K.DARK) - K.TONE_MEAN) / K.TONE_SPREAD);

export class CharacterNetwork {
  // `side`: the picture's longer side at level 0.
  constructor(network, side) {
    const [, height, width] = network.shape;
    Object.assign(this, { network, side, width, height });
  }

  // Characters {box, score, isLight} in a picture, best first. Boxes need not be whole pixels.
  async find(picture, minScore) {
    const scale = this.side / Math.max(picture.width, picture.height);
    const size = [picture.width, picture.height].map((length) => Math.max(1, rint(length * scale)));
    const places = packed(size);
    const canvas = new Float32Array(3 * this.width * this.height).fill(TONE[0]);
    let level = resize(picture, ...size, scale < 1);
    places.forEach(([x, y], index) => {
      if (index) level = resize(level, ...levelSize(size, index), true);
      this.paint(canvas, level, x, y);
    });
    const [outputs] = await this.network.run(canvas);
    const found = this.decoded(outputs, size, places, Math.log(minScore / (1 - minScore)));
    return mergeOverlapping(found.map((one) => ({ ...one, box: one.box.map((side) => side / scale) })));
  }

  // A level with its replicated border, in the order blue, green, red.
  paint(canvas, level, left, top) {
    for (let row = 0; row < level.height + 2 * K.EDGE; row += 1) {
      const y = clip(row - K.EDGE, 0, level.height - 1);
      for (let column = 0; column < level.width + 2 * K.EDGE; column += 1) {
        const from = 4 * (y * level.width + clip(column - K.EDGE, 0, level.width - 1));
        const to = 3 * ((top + row) * this.width + left + column);
        for (let channel = 0; channel < 3; channel += 1) canvas[to + channel] = TONE[level.data[from + 2 - channel]];
      }
    }
  }

  decoded(outputs, size, places, minLogit) {
    const columns = this.width / K.CELL;
    const found = [];
    for (let cell = 0; cell * OUTPUTS < outputs.length; cell += 1) {
      if (!(outputs[cell * OUTPUTS] > minLogit)) continue;
      const [logit, left, top, right, bottom, light] = outputs.subarray(cell * OUTPUTS, (cell + 1) * OUTPUTS);
      const [x, y] = [((cell % columns) + 0.5) * K.CELL, (Math.floor(cell / columns) + 0.5) * K.CELL];
      const index = places.findIndex((place, level) => [x, y].every((at, axis) =>
        at >= place[axis] + K.EDGE && at < place[axis] + K.EDGE + levelSize(size, level)[axis]));
      if (index < 0) continue;
      const enlarge = (value, axis) => (value - places[index][axis] - K.EDGE) * (size[axis] / levelSize(size, index)[axis]);
      const corners = [x - K.BOX_UNIT * left, y - K.BOX_UNIT * top, x + K.BOX_UNIT * right, y + K.BOX_UNIT * bottom];
      found.push({ box: corners.map((value, side) => enlarge(value, side % 2)), score: sigmoid(logit), isLight: light > 0 });
    }
    return found;
  }
}

const levelSize = (size, level) => size.map((length) => Math.max(1, rint(length / 2 ** level)));

// Where each level of the pyramid is on the canvas: level 0 at the top, level 1 below it, the others to the right of level 1.
function packed(size) {
  const framed = range(K.LEVELS).map((level) => levelSize(size, level).map((length) => Math.ceil((length + 2 * K.EDGE) / K.GRID) * K.GRID));
  const top = framed[0][1];
  const places = [[0, 0], [0, top], [framed[1][0], top]];
  let x = framed[1][0];
  for (const [width] of framed.slice(3)) {
    places.push([x, top + framed[2][1]]);
    x += width;
  }
  return places;
}

// Non-maximum suppression. Each result averages the boxes, and the readings if there are any, that agree with the best one.
export function mergeOverlapping(characters) {
  let rest = [...characters].sort((one, other) => rank(other) - rank(one));
  const merged = [];
  while (rest.length) {
    const [best] = rest;
    const agreeing = rest.filter((other) => share(best.box, other.box) > 0.6);
    const average = (of) => sum(agreeing.map((one) => one.score * of(one))) / sum(agreeing.map(({ score }) => score));
    merged.push({
      ...best,
      box: range(4).map((side) => average(({ box }) => box[side])),
      ...(best.readings && { readings: best.readings.map((_, digit) => average(({ readings }) => readings[digit])) }),
    });
    rest = rest.filter((other) => other !== best && overlapOf(best.box, other.box) <= K.MAX_OVERLAP * Math.min(areaOf(best.box), areaOf(other.box)));
  }
  return merged;
}

const rank = ({ score, readings }) => score * (readings ? Math.max(...readings) : 1);

function share(box, other) {
  const shared = overlapOf(box, other);
  return shared / (areaOf(box) + areaOf(other) - shared);
}

export const longerOf = (box) => Math.max(widthOf(box), heightOf(box));
