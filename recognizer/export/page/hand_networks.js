// MediaPipe's two hand networks with their geometry, as recognizer/finders/hand_networks.py.

import { areaOf, clip, overlapOf, range, sigmoid, sum, withoutRepeats, wrapped } from "./arithmetic.js";
import { handNetworks as K, pose } from "./constants.js";
import { cutOutSquare, meanColour } from "./images.js";

const DEGREE = Math.PI / 180;

// A turned square of a picture, in pixels: its centre, its side, and the angle clockwise. It may reach beyond the picture.
export class Square {
  constructor(x, y, side, turn = 0) {
    Object.assign(this, { x, y, side, turn });
  }

  // The (2, 3) affine matrix from shares of the square to pixels of the picture.
  matrix() {
    const [cos, sin] = [this.side * Math.cos(this.turn), this.side * Math.sin(this.turn)];
    return [cos, -sin, this.x - (cos - sin) / 2, sin, cos, this.y - (sin + cos) / 2];
  }

  toPicture([x, y]) {
    const m = this.matrix();
    return [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];
  }

  // Intersection over union as if neither square was turned.
  iou(other) {
    const reach = (this.side + other.side) / 2;
    const side = (apart) => Math.max(0, Math.min(reach - Math.abs(apart), this.side, other.side));
    const shared = side(this.x - other.x) * side(this.y - other.y);
    return shared / (this.side ** 2 + other.side ** 2 - shared);
  }
}

// How a picture is shown to the networks: padding as a share of the longer side, tilt in degrees counter-clockwise.
export class View {
  constructor({ padding = 0, replicateBorder = false, tilt = 0, whiteBalance = false, gamma = 1 } = {}) {
    Object.assign(this, { padding, replicateBorder, tilt, whiteBalance, gamma });
  }

  square({ width, height }) {
    return new Square(width / 2, height / 2, (1 + 2 * this.padding) * Math.max(width, height), this.tilt * DEGREE);
  }

  forPalms(picture, square) {
    return this.cutOut(picture, square, K.PALM_SIDE, this.replicateBorder);
  }

  forHand(picture, square) {
    return this.cutOut(picture, square, K.HAND_SIDE, !this.padding || this.replicateBorder);
  }

  cutOut(picture, square, side, replicate) {
    const m = square.matrix();
    const matrix = [m[0] / side, m[1] / side, m[2], m[3] / side, m[4] / side, m[5]];
    return cutOutSquare(picture, matrix, side, replicate, this.table(picture));
  }

  // Grey levels with gamma correction and white balance; undefined where neither changes them.
  table(picture) {
    if (!this.whiteBalance && this.gamma === 1) return undefined;
    let gains = [1, 1, 1];
    if (this.whiteBalance) {
      const means = meanColour(picture).map((level) => Math.max(level, 1));
      gains = means.map((level) => clip(sum(means) / 3 / level, 1 / K.MAX_GAIN, K.MAX_GAIN));
    }
    return Uint8ClampedArray.from(gains.flatMap((gain) => range(256).map((level) => K.WHITE * gain * (level / K.WHITE) ** this.gamma)));
  }
}

export class HandNetworks {
  constructor(palm, hand) {
    Object.assign(this, { palm, hand, anchors: anchors() });
  }

  // Candidates for palms: {box, points, score}, in shares of the view's square.
  async palms(picture, view) {
    const square = view.square(picture);
    const [raw, logits] = await this.palm.run(view.forPalms(picture, square));
    const size = 4 + 2 * K.PALM_POINTS;
    const found = [];
    this.anchors.forEach(([ax, ay], index) => {
      const score = sigmoid(clip(logits[index], -100, 100));
      if (score < 0.01) return; // below each threshold
      const [x, y, width, height, ...points] = Array.from(raw.subarray(index * size, (index + 1) * size), (value) => value / K.PALM_SIDE);
      found.push({
        score,
        box: [x + ax - width / 2, y + ay - height / 2, x + ax + width / 2, y + ay + height / 2],
        points: range(K.PALM_POINTS).map((point) => [points[2 * point] + ax, points[2 * point + 1] + ay]),
      });
    });
    return { square, found: found.sort((one, other) => other.score - one.score) };
  }

  // The hand in a square of a picture: its joints in pixels of the picture, its side, and the scores of side and presence.
  async read(picture, square, view) {
    const [screen, [presence], [right]] = await this.hand.run(view.forHand(picture, square));
    const joints = range(pose.JOINTS).map((joint) => {
      const [x, y, z] = screen.subarray(3 * joint, 3 * joint + 3);
      return [...square.toPicture([x / K.HAND_SIDE, y / K.HAND_SIDE]), ((z / K.HAND_SIDE) * square.side) / K.DEPTH_SCALE].map(Math.fround);
    });
    return { joints, side: right > 0.5 ? "right" : "left", score: right > 0.5 ? right : 1 - right, presence };
  }
}

// The squares of the hands whose palms have at least that score, best first: weighted non-maximum suppression.
export function handsOf({ square, found }, least) {
  let rest = found.filter(({ score }) => score >= least);
  const hands = [];
  while (rest.length) {
    const same = rest.filter((palm, index) => !index || overlap(rest[0].box, palm.box) > K.SAME_PALM_IOU);
    const total = sum(same.map(({ score }) => score));
    const average = (of) => sum(same.map((palm) => (palm.score / total) * of(palm)));
    const box = range(4).map((side) => average((palm) => palm.box[side]));
    const [wrist, middle] = [K.PALM_WRIST, K.PALM_MIDDLE].map((point) => [0, 1].map((axis) => average((palm) => palm.points[point][axis])));
    const turn = wrapped(K.PALM_TARGET_RAD - Math.atan2(wrist[1] - middle[1], middle[0] - wrist[0]));
    const size = [square.side * (box[2] - box[0]), square.side * (box[3] - box[1])];
    const centre = square.toPicture([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]);
    hands.push(ahead(centre, size, turn + square.turn, K.PALM_SCALE, K.PALM_SHIFT));
    rest = rest.filter((palm) => !same.includes(palm));
  }
  return hands;
}

// The square in which the hand of these joints is likely to be in the next frame.
export function squareAround(joints) {
  const [index, middle, ring] = [pose.INDEX_ROOT, pose.MIDDLE_ROOT, pose.RING_ROOT].map((root) => joints[root]);
  const [dx, dy] = [0, 1].map((axis) => 0.25 * index[axis] + 0.5 * middle[axis] + 0.25 * ring[axis] - joints[pose.WRIST][axis]);
  const turn = wrapped(Math.PI / 2 - Math.atan2(-dy, dx));
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const { low, high } = extent(K.STABLE.map((joint) => joints[joint]).map(([x, y]) => [x * cos + y * sin, -x * sin + y * cos]));
  const [x, y] = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  return ahead([cos * x - sin * y, sin * x + cos * y], [high[0] - low[0], high[1] - low[1]], turn, K.HAND_SCALE, K.HAND_SHIFT);
}

// Whether the joints are of one hand.
export function areSameHand(joints, others) {
  const near = K.SAME_JOINT * Math.max(palmSize(joints), palmSize(others));
  const close = joints.filter(([x, y], joint) => Math.hypot(x - others[joint][0], y - others[joint][1]) < near).length;
  const [box, other] = [joints, others].map((points) => [...extent(points).low.slice(0, 2), ...extent(points).high.slice(0, 2)]);
  return close >= K.SAME_JOINTS && overlap(box, other) > K.SAME_HAND_IOU;
}

// The readings without those of a hand that an earlier one has read.
export const distinctHands = (hands) => withoutRepeats(hands, (one, other) => areSameHand(one.joints, other.joints));

// The lowest and highest value of each coordinate.
export function extent(points) {
  const axes = points[0].map((_, axis) => points.map((point) => point[axis]));
  return { low: axes.map((values) => Math.min(...values)), high: axes.map((values) => Math.max(...values)) };
}

function palmSize(joints) {
  const corners = [pose.WRIST, pose.INDEX_ROOT, pose.LITTLE_ROOT].map((joint) => joints[joint]);
  return Math.max(...corners.map(([x, y], index) => Math.hypot(x - corners.at(index - 1)[0], y - corners.at(index - 1)[1])));
}

// The square around a turned rectangle, enlarged, and moved by a share of its height to its upper end.
function ahead([x, y], [width, height], turn, scale, shift) {
  return new Square(x + shift * height * Math.sin(turn), y - shift * height * Math.cos(turn), scale * Math.max(width, height), turn);
}

function overlap(box, other) {
  const shared = overlapOf(box, other);
  return shared > 0 ? shared / (areaOf(box) + areaOf(other) - shared) : 0;
}

function anchors() {
  return K.PALM_CELLS.flatMap(([cells, each]) => {
    const middles = range(cells).map((cell) => (cell + 0.5) / cells);
    return middles.flatMap((y) => middles.flatMap((x) => range(each).map(() => [x, y])));
  });
}


