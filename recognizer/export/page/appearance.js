// Appearance features of a hand: inner activations of MediaPipe's landmark network, as recognizer/preprocess/appearance.py.

import { clip, finite } from "./arithmetic.js";
import { appearance, pose } from "./constants.js";
import { warpAffine } from "./images.js";

const { SIDE, MAP, REACH, AHEAD } = appearance;
const [, MAP_HEIGHT, MAP_WIDTH, MAP_CHANNELS] = MAP;

export class AppearanceExtractor {
  // `network`: MediaPipe's landmark network, with inner activations as further outputs.
  constructor(network) {
    this.network = network;
  }

  // Features (Float32Array) of the hand with these joints in the part `box` of a picture. A left hand is flipped to a right one.
  async features(picture, box, joints, side) {
    const { joints: found, pooled, map } = await this.network.named(upright(picture, box, joints, side === "left"));
    const features = new Float32Array(pooled.length + pose.JOINTS * MAP_CHANNELS);
    features.set(pooled);
    for (let joint = 0; joint < pose.JOINTS; joint += 1) {
      features.set(atPlace(map, found[3 * joint] / SIDE, found[3 * joint + 1] / SIDE), pooled.length + joint * MAP_CHANNELS);
    }
    return features;
  }
}

// Bilinear interpolation of the map at a place, in shares of its width and height.
function atPlace(map, placeX, placeY) {
  const cellX = clip(finite(placeX) * MAP_WIDTH - 0.5, 0, MAP_WIDTH - 1.001);
  const cellY = clip(finite(placeY) * MAP_HEIGHT - 0.5, 0, MAP_HEIGHT - 1.001);
  const [x, y] = [Math.floor(cellX), Math.floor(cellY)];
  const [right, below] = [cellX - x, cellY - y];
  const at = (column, row, channel) => map[(row * MAP_WIDTH + column) * MAP_CHANNELS + channel];
  return Float32Array.from({ length: MAP_CHANNELS }, (_, channel) => {
    const above = at(x, y, channel) * (1 - right) + at(x + 1, y, channel) * right;
    return above * (1 - below) + (at(x, y + 1, channel) * (1 - right) + at(x + 1, y + 1, channel) * right) * below;
  });
}

// The hand as MediaPipe crops it: Float32Array (SIDE, SIDE, 3) RGB, 0 to 1, fingers up, a left hand flipped.
function upright(picture, box, joints, isLeft) {
  const points = joints.map(([x, y]) => [finite(x - box[0]), finite(y - box[1])]);
  const [index, middle, ring] = [pose.INDEX_ROOT, pose.MIDDLE_ROOT, pose.RING_ROOT].map((root) => points[root]);
  const [dx, dy] = [0, 1].map((axis) => 0.25 * index[axis] + 0.5 * middle[axis] + 0.25 * ring[axis] - points[pose.WRIST][axis]);
  const angle = Math.atan2(dx, -dy);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const turned = points.map(([x, y]) => [cos * x + sin * y, -sin * x + cos * y]);
  const low = [0, 1].map((axis) => Math.min(...turned.map((point) => point[axis])));
  const high = [0, 1].map((axis) => Math.max(...turned.map((point) => point[axis])));
  const size = Math.max(1, high[0] - low[0], high[1] - low[1]);
  const [x, y] = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2 - AHEAD * size];
  const scale = SIDE / (REACH * size);
  const matrix = [scale * cos, scale * sin, SIDE / 2 - scale * x, -scale * sin, scale * cos, SIDE / 2 - scale * y];
  const warped = warpAffine(picture, box, matrix, SIDE);
  const input = new Float32Array(warped.length);
  for (let row = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1) {
      const from = 3 * (row * SIDE + (isLeft ? SIDE - 1 - column : column));
      for (let channel = 0; channel < 3; channel += 1) input[3 * (row * SIDE + column) + channel] = warped[from + channel] / 255;
    }
  }
  return input;
}
