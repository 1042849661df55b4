// Finds hands by their joints, and retries on other views of the picture if none is found: recognizer/finders/hands.py and hand_detector.py.

import { areaOf, clip, iou, mean, middleOf, overlapOf, range, rint, withoutRepeats } from "./arithmetic.js";
import { handDetector as D, handNetworks as N, hands as K, pose } from "./constants.js";
import { flipped, part } from "./images.js";
import { distinctHands, extent, handsOf, squareAround, View } from "./hand_networks.js";

const PLAIN = new View();
const PADDED = new View({ padding: K.PADDING });
const WIDE = new View({ padding: 2 * K.PADDING, replicateBorder: true });
const [TILTED, TILTED_BACK] = [20, -20].map((tilt) => new View({ padding: K.PADDING, tilt }));
const BRIGHT = new View({ padding: K.PADDING, gamma: 0.5 });
const BALANCED = new View({ padding: K.PADDING, whiteBalance: true });
const SECOND_LOOKS = [[PLAIN, false], [TILTED, true], [BRIGHT, false], [WIDE, false], [TILTED, false], [BALANCED, false], [PLAIN, true]];
const STREAM_VIEWS = [TILTED, BRIGHT, WIDE, TILTED_BACK, BALANCED].flatMap((last) => [PLAIN, PADDED, PLAIN, PADDED, last]);

// Detects hands in one view, and follows those of a stream. A hand is {joints, side, score}, in pixels of the picture.
class Detector {
  constructor(networks) {
    Object.assign(this, { networks, frame: 0, followed: [] });
  }

  async detect(picture, view, accept) {
    const palms = await this.networks.palms(picture, view);
    const found = distinctHands(await this.readAll(picture, handsOf(palms, D.SURE).slice(0, D.HANDS), view, accept, false));
    return found.length ? found : this.readAll(picture, handsOf(palms, D.DOUBTFUL).slice(0, 1), view, accept, true);
  }

  async follow(picture, view, accept) {
    this.frame += 1;
    let found = await this.readAll(picture, this.followed, view, accept, false);
    if (!found.length) found = await this.detect(picture, view, accept);
    else if (found.length < D.HANDS && this.frame % D.SEARCH_EVERY === 0) {
      const palms = handsOf(await this.networks.palms(picture, view), D.SURE);
      const others = palms.filter((palm) => this.followed.every((hand) => palm.iou(hand) <= D.SAME_SQUARE_IOU));
      found = [...found, ...(await this.readAll(picture, others.slice(0, D.HANDS - found.length), view, accept, false))];
    }
    found = distinctHands(found);
    this.followed = found.map(({ joints }) => squareAround(joints));
    return found;
  }

  async readAgain(picture, hand, accept) {
    return (await this.readAll(picture, [squareAround(hand.joints)], PLAIN, accept, false))[0] ?? null;
  }

  async readAll(picture, squares, view, accept, isDoubtful) {
    const found = [];
    for (const square of squares) {
      const hand = await this.networks.read(picture, square, view);
      if (hand.presence > N.PRESENCE && accept(hand, isDoubtful)) found.push(hand);
    }
    return found;
  }
}

// Finds up to two hands. `isStream` says that the pictures are frames of one stream.
export class HandFinder {
  constructor(networks, isStream) {
    Object.assign(this, { detector: new Detector(networks), isStream, guide: null, nothingSince: null, view: 0, isFollowing: false });
  }

  // Regions {box, hand, mirroredHand} from left to right.
  async find(picture, time) {
    if (Math.min(picture.width, picture.height) < K.MIN_SIDE) return [];
    const pairs = this.isStream ? withoutDuplicates(await this.follow(picture)).map((hand) => [hand, null]) : await this.search(picture);
    const regions = pairs.map(([hand, mirroredHand]) => ({ box: squareBox([hand, mirroredHand], picture), hand, mirroredHand }));
    if (this.isStream) this.updateGuide(picture, time, regions.length > 0);
    return regions.sort((one, other) => middleOf(one.box)[0] - middleOf(other.box)[0]);
  }

  updateGuide({ width, height }, time, isFound) {
    if (isFound || this.nothingSince === null) this.nothingSince = isFound ? null : time;
    const hasWaited = this.nothingSince !== null && time - this.nothingSince >= K.GUIDE_AFTER_S;
    const side = rint(K.GUIDE_SIDE * Math.min(width, height));
    const [x, y] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
    this.guide = hasWaited ? [x, y, x + side, y + side] : null;
  }

  async follow(picture) {
    const view = STREAM_VIEWS[this.view % STREAM_VIEWS.length];
    const hands = await this.detector.follow(picture, view, plausibleIn(picture));
    if (!hands.length && !this.isFollowing) this.view += 1;
    this.isFollowing = hands.length > 0;
    return hands;
  }

  // Pairs: a hand, and the same hand as detected in the mirror image, or null.
  async search(picture) {
    const sides = { plain: picture, mirrored: flipped(picture) };
    let pairs = await this.bothSides(PADDED, sides);
    if (!pairs.length) pairs = await this.secondLook(sides);
    const corrected = [];
    for (const pair of pairs) corrected.push(await this.corrected(sides, pair));
    return distinct(corrected);
  }

  async secondLook(sides) {
    for (const [view, isMirrored] of SECOND_LOOKS) {
      const hands = await this.detect(view, sides, isMirrored);
      if (!hands.length) continue;
      const others = await this.detect(view, sides, !isMirrored);
      return isMirrored ? paired(others, hands) : paired(hands, others);
    }
    return [];
  }

  async bothSides(view, sides) {
    return paired(await this.detect(view, sides, false), await this.detect(view, sides, true));
  }

  async detect(view, { plain, mirrored }, isMirrored) {
    const hands = withoutDuplicates(await this.detector.detect(isMirrored ? mirrored : plain, view, plausibleIn(plain)));
    return isMirrored ? hands.map((hand) => flippedHand(hand, plain.width)) : hands;
  }

  // The pair, or another detection of the same hand whose two sides agree better.
  async corrected(sides, pair) {
    let best = pair;
    for (const scale of K.CORRECTIONS) {
      if (disagreement(best) < K.MAX_DISAGREEMENT) break;
      const { x, y, around } = scale === null ? { x: 0, y: 0, around: sides } : surroundings(sides.plain, pair[0], scale);
      const others = (await this.bothSides(PLAIN, around)).map((other) => other.map((hand) => hand && shifted(hand, x, y)));
      for (const other of others) if (contains(other[0], pair[0]) && disagreement(other) < disagreement(best)) best = other;
    }
    return best[1] ? best : [best[0], await this.otherSide(sides, best[0])];
  }

  async otherSide({ plain, mirrored }, hand) {
    const other = await this.detector.readAgain(mirrored, flippedHand(hand, plain.width), plausibleIn(plain));
    return other && flippedHand(other, plain.width);
  }
}

const plausibleIn = (picture) => (hand, isDoubtful) => isPlausible(hand, picture, isDoubtful);

const distance = (one, other) => Math.hypot(...one.map((value, axis) => value - other[axis]));

// Whether joints have the size and proportions of a hand.
function isPlausible({ joints, score }, { width, height }, isDoubtful) {
  if (!joints.flat().every(Number.isFinite)) return false;
  const { low, high } = extent(joints);
  const spread = [high[0] - low[0], high[1] - low[1]];
  const least = (isDoubtful ? K.DOUBTFUL_MIN_SIZE : K.MIN_SIZE) * Math.min(width, height);
  if (Math.max(...spread) < least || (isDoubtful && score < K.DOUBTFUL_MIN_SCORE)) return false;
  if (joints.filter(([x, y]) => x >= 0 && y >= 0 && x < width && y < height).length < K.MIN_INSIDE) return false;
  const rays = K.ROOTS.map((root) => distance(joints[root], joints[0]));
  const palm = mean(rays);
  if (palm <= 0 || Math.min(...rays) < 0.65 * palm || Math.max(...rays) > 1.45 * palm) return false;
  const thumb = distance(joints[1], joints[0]);
  const longest = Math.max(...K.FINGERS.flatMap((finger) => finger.slice(1).map((joint) => distance(joints[joint], joints[joint - 1]))));
  if (!(0.2 * palm < thumb && thumb < 0.85 * palm) || longest > 1.25 * palm) return false;
  const [wide, narrow] = singularValues(joints);
  const share = palm / Math.hypot(...spread);
  return narrow > K.MIN_WIDTH * wide && share > 0.25 && share < 0.9;
}

// The singular values of the joints' x and y, centred.
function singularValues(joints) {
  const [mx, my] = [0, 1].map((axis) => mean(joints.map((joint) => joint[axis])));
  let [xx, xy, yy] = [0, 0, 0];
  for (const [x, y] of joints) {
    xx += (x - mx) ** 2;
    xy += (x - mx) * (y - my);
    yy += (y - my) ** 2;
  }
  const root = Math.hypot((xx - yy) / 2, xy);
  return [Math.sqrt((xx + yy) / 2 + root), Math.sqrt(Math.max(0, (xx + yy) / 2 - root))];
}

// A square around the joints of hands with a margin, moved or shrunk to fit into a picture.
function squareBox(hands, { width, height }) {
  const { low, high } = extent(hands.filter(Boolean).flatMap(({ joints }) => joints));
  const longer = Math.max(high[0] - low[0], high[1] - low[1]);
  const side = Math.max(1, Math.min(Math.ceil((1 + 2 * K.MARGIN) * longer), width, height));
  const x = clip(rint(Math.fround((low[0] + high[0]) / 2) - side / 2), 0, width - side);
  const y = clip(rint(Math.fround((low[1] + high[1]) / 2) - side / 2), 0, height - side);
  return [x, y, x + side, y + side];
}

const withoutDuplicates = (hands) => withoutRepeats([...hands].sort((one, other) => other.score - one.score), isSameHand);

function paired(plain, mirrored) {
  let rest = [...mirrored];
  const pairs = plain.map((hand) => {
    const same = rest.find((other) => iou(boxOf(hand), boxOf(other)) >= K.SAME_HAND_IOU) ?? null;
    rest = rest.filter((other) => other !== same);
    return [hand, same];
  });
  return [...pairs, ...rest.map((hand) => [hand, null])];
}

// Mean distance between the joints of a hand's two sides, in hand sizes. Infinite if one is missing.
function disagreement([hand, mirrored]) {
  if (!mirrored) return Infinity;
  const apart = mean(range(pose.JOINTS).map((joint) => distance(hand.joints[joint].slice(0, 2), mirrored.joints[joint].slice(0, 2))));
  const { low, high } = extent(hand.joints);
  return apart / Math.max(1e-6, high[0] - low[0], high[1] - low[1]);
}

function distinct(pairs) {
  const sorted = pairs.map((pair) => [disagreement(pair), pair]).sort(([one], [other]) => (one === other ? 0 : one - other));
  return withoutRepeats(sorted.map(([, pair]) => pair), (pair, other) => isSameHand(pair[0], other[0]));
}

function isSameHand(hand, otherHand) {
  const [one, other] = [boxOf(hand), boxOf(otherHand)];
  const smaller = Math.min(areaOf(one), areaOf(other));
  return iou(one, other) >= K.SAME_HAND_IOU || overlapOf(one, other) > K.SAME_HAND_COVER * smaller;
}

function contains(hand, other) {
  const [box, [x, y]] = [boxOf(hand), [0, 1].map((axis) => mean(other.joints.map((joint) => joint[axis])))];
  return box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3];
}

// A square part of the picture around a hand, black outside the picture.
function surroundings(picture, hand, scale) {
  const { low, high } = extent(hand.joints);
  const side = Math.max(K.MIN_SIDE, Math.trunc(scale * Math.max(high[0] - low[0], high[1] - low[1])));
  const [x, y] = [0, 1].map((axis) => Math.trunc((low[axis] + high[axis] - side) / 2));
  const plain = part(picture, [x, y, x + side, y + side], 0);
  return { x, y, around: { plain, mirrored: flipped(plain) } };
}

const moved = (hand, move) => ({ ...hand, joints: hand.joints.map((joint) => move(joint).map(Math.fround)) });
const shifted = (hand, dx, dy) => moved(hand, ([x, y, z]) => [x + dx, y + dy, z]);
const flippedHand = (hand, width) => ({ ...moved(hand, ([x, y, z]) => [width - 1 - x, y, z]), side: hand.side === "right" ? "left" : "right" });

function boxOf({ joints }) {
  const { low, high } = extent(joints);
  return [Math.floor(low[0]), Math.floor(low[1]), Math.ceil(high[0]), Math.ceil(high[1])];
}
