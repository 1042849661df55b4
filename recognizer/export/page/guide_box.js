// Finds any object that is held in the guide box in the middle of the picture, as recognizer/finders/guide_box.py.

import { mean, rint } from "./arithmetic.js";
import { guideBox as K, sharpness as S } from "./constants.js";
import { crop, gray, resize } from "./images.js";

export class BoxFinder {
  guide = null;

  // One region, or none if the box is empty or blurred.
  async find(picture) {
    const box = guideOf(picture);
    const level = box[2] - box[0] >= K.MIN_SIDE ? gray(crop(picture, box)) : null;
    const isEmpty = !level || isUniform(level) || sharpness(level) < K.MIN_SHARPNESS;
    this.guide = isEmpty ? box : null;
    return isEmpty ? [] : [{ box }];
  }
}

export function guideOf({ width, height }) {
  const side = rint(K.GUIDE_SIDE * Math.min(width, height));
  const [x, y] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  return [x, y, x + side, y + side];
}

const variance = (values) => mean(values.map((value) => value * value)) - mean(values) ** 2;
const shrunk = (level, side) => resize(level, side, side, level.width > side && level.height > side);

const isUniform = (level) => Math.sqrt(variance(Array.from(shrunk(level, K.UNIFORM_SIDE).data))) < K.MAX_UNIFORM_DEVIATION;

// Variance of the Laplacian; beyond the picture, its pixels are reflected.
function sharpness(level) {
  const { data, width, height } = shrunk(level, S.SHARPNESS_SIDE);
  const reflected = (index, size) => (index < 0 ? -index : index >= size ? 2 * size - 2 - index : index);
  const at = (x, y) => data[reflected(y, height) * width + reflected(x, width)];
  return variance(Array.from(data, (value, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    return at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * value;
  }));
}
