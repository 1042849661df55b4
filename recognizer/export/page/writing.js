// Handwritten characters on paper: finds and classifies them, as recognizer/finders/writing.py and subjects/paper.py.

import { areaOf, clip, heightOf, middleOf, overlapOf, argmax } from "./arithmetic.js";
import { CharacterNetwork, longerOf, mergeOverlapping } from "./characters.js";
import { characters as C, paper as P, values, writing as W } from "./constants.js";
import { largeInk } from "./large_ink.js";
import { cutOutInk, pyramid, verified } from "./patches.js";
import { mnistImage, planeInput } from "./pictures.js";

const SAME_LINE = 0.35; // of the smaller height: overlap of neighbours in a line
const LINE_GAP = 2.5; // heights between neighbours in a line

// Regions {box, ink, contrast, isLight, score, readings}. In a stream the two proposal networks alternate between frames.
export class WritingFinder {
  guide = null;

  constructor({ characters, verifier, ink }, isStream) {
    Object.assign(this, { verifier, ink, isStream, turn: 0, proposals: C.WORK_SIDES.map(() => []), size: "" });
    this.networks = C.WORK_SIDES.map((side) => new CharacterNetwork(characters, side));
  }

  async find(picture) {
    if (Math.min(picture.width, picture.height) < W.MIN_SIDE) return [];
    const levels = pyramid(picture);
    const found = [];
    for (const character of await this.characters(picture, levels)) {
      const region = await cutOutInk(this.ink, picture, character);
      if (region) found.push(region);
    }
    return readingOrder([...found, ...(await this.large(picture, levels, found))]);
  }

  async characters(picture, levels) {
    for (const number of this.due(picture)) this.proposals[number] = await this.networks[number].find(picture, W.MIN_PROPOSAL_SCORE);
    const accepted = [];
    for (const { box, isLight } of this.proposals.flat()) {
      const found = await verified(this.verifier, levels, box);
      if (found.score >= W.MIN_SCORE && longerOf(found.box) >= W.MIN_CHARACTER_SIDE) accepted.push({ ...found, isLight });
    }
    return mergeOverlapping(accepted);
  }

  due({ width, height }) {
    const size = `${width}x${height}`;
    if (!this.isStream || this.size !== size) {
      this.size = size;
      return [0, 1];
    }
    this.turn = 1 - this.turn;
    return [this.turn];
  }

  // Characters that the networks missed, or of which they found only parts.
  async large(picture, levels, found) {
    const short = Math.min(picture.width, picture.height);
    let regions = [];
    if (!found.some(({ score }) => score >= values.WRITING_SCORE)) regions = largeInk(picture);
    else if (Math.max(...found.map(({ box }) => longerOf(box))) >= W.PART * short) {
      regions = largeInk(picture).filter((region) => isWhole(region.box, found, W.LARGE * short));
    }
    const scored = [];
    for (const region of regions) {
      const { score, readings } = await verified(this.verifier, levels, region.box);
      scored.push(longerOf(region.box) > W.LARGE * short ? { ...region, score: Math.max(W.LARGE_SCORE, score) } : { ...region, score, readings });
    }
    return scored.filter(({ score }) => score >= W.MIN_SCORE);
  }
}

function isWhole(box, parts, least) {
  return longerOf(box) > least && parts.some((one) => overlapOf(box, one.box) > 0.5 * areaOf(one.box) && areaOf(box) > W.LARGER * areaOf(one.box));
}

export class WritingClassifier {
  constructor(classifier) {
    this.classifier = classifier;
  }

  async predict(picture, regions) {
    const predictions = [];
    for (const { ink } of regions) {
      const input = mnistImage(ink);
      predictions.push({ ...this.classifier.prediction(await this.classifier.scores([planeInput(input)])), input });
    }
    return predictions;
  }

  // `turn`: how the sheet must be flipped to be read; null if it is upright.
  scores(picture, { ink, turn }) {
    return this.classifier.scores([planeInput(turned(mnistImage(ink), turn))]);
  }
}

function turned({ data, width, height }, turn) {
  const [isMirrored, isUpsideDown] = [Boolean(turn), turn === "upside down"];
  const at = (x, y) => data[(isUpsideDown ? height - 1 - y : y) * width + (isMirrored ? width - 1 - x : x)];
  return { data: data.map((_, pixel) => at(pixel % width, Math.floor(pixel / width))), width, height };
}

// Drops regions and labels that the other regions make unlikely.
export class WritingPostprocessor {
  postprocess(time, regions, predictions) {
    const scored = withoutOverlaps(likely(regions.map((region, index) => scoredOf(region, predictions[index]))));
    const known = scored.filter(({ prediction }) => prediction.label !== null).map(({ region }) => region);
    const isFaint = ({ region }) => known.some((other) => makesFaint(other, region));
    return {
      regions: scored.map(({ region }) => region),
      predictions: scored.map((one) => (isFaint(one) ? { ...one.prediction, label: null } : one.prediction)),
    };
  }
}

function logOdds(share) {
  const clipped = clip(share, P.PROBABILITY_MARGIN, 1 - P.PROBABILITY_MARGIN);
  return Math.log(clipped / (1 - clipped));
}

// The most likely label by verifier and classifier together, and its log odds.
function scoredOf(region, prediction) {
  const { score, readings } = region;
  if (!readings || !prediction.top.every(([label]) => P.DIGITS.includes(label))) {
    return { region, prediction, odds: prediction.label === null ? -Infinity : logOdds(score) + logOdds(prediction.confidence) };
  }
  if (prediction.label === null) return rejected(region, prediction);
  const seen = ([label]) => Math.log(readings[P.DIGITS.indexOf(label)] + P.READING_OFFSET);
  const likelihood = (one) => logOdds(one[1]) + seen(one);
  const best = prediction.top.reduce((one, other) => (likelihood(other) > likelihood(one) ? other : one));
  return { region, prediction: { ...prediction, label: best[0], confidence: best[1] }, odds: logOdds(score) + likelihood(best) };
}

// Uses the verifier's digit, since the classifier also rejects digits that a line crosses.
function rejected(region, prediction) {
  const digit = argmax(region.readings.slice(0, P.DIGITS.length));
  const known = prediction.top.find(([label]) => label === P.DIGITS[digit]);
  if (!known) return { region, prediction, odds: -Infinity };
  const odds = logOdds(region.score) + logOdds(region.readings[digit]) + P.REJECTED_ODDS;
  return { region, prediction: { ...prediction, label: known[0], confidence: known[1] }, odds };
}

function likely(scored) {
  const sure = scored.filter(({ odds }) => odds >= P.MIN_LOG_ODDS).map(({ region }) => region);
  return scored.flatMap((one) => {
    const least = sure.some((other) => areNeighbours(one.region, other)) ? P.MIN_LOG_ODDS_BESIDE_DIGIT : P.MIN_LOG_ODDS;
    if (one.odds >= least) return [one];
    const isWriting = one.region.score >= values.WRITING_SCORE;
    return isWriting ? [{ region: one.region, prediction: { ...one.prediction, label: null }, odds: -Infinity }] : [];
  });
}

const gaps = (box, other) => [0, 1].map((axis) => Math.max(box[axis], other[axis]) - Math.min(box[axis + 2], other[axis + 2]));

function areNeighbours(region, digit) {
  if (region.contrast < P.FAINT * digit.contrast) return false;
  const [height, other] = [heightOf(region.box), heightOf(digit.box)];
  const isLevel = Math.abs(middleOf(region.box)[1] - middleOf(digit.box)[1]) < 0.5 * Math.max(height, other);
  return isLevel && height / other > 0.5 && height / other < 2 && gaps(region.box, digit.box)[0] < 2 * Math.max(height, other);
}

function makesFaint(other, region) {
  if (heightOf(other.box) <= heightOf(region.box) || region.contrast >= P.FAINT_SHARE * other.contrast) return false;
  return Math.max(0, ...gaps(other.box, region.box)) < P.FAINT_REACH * heightOf(other.box);
}

function withoutOverlaps(scored) {
  const kept = [];
  for (const one of [...scored].sort((a, b) => (a.odds === b.odds ? 0 : b.odds - a.odds))) {
    const most = one.prediction.label === null ? P.MAX_UNKNOWN_OVERLAP : P.MAX_OVERLAP;
    const share = (other) => overlapOf(one.region.box, other.region.box) / Math.max(1, Math.min(areaOf(one.region.box), areaOf(other.region.box)));
    if (kept.every((other) => share(other) < most)) kept.push(one);
  }
  return scored.filter((one) => kept.includes(one));
}

const readingOrder = (regions) => textLines(regions).flat();

// Lines of neighbouring regions from top to bottom, each from left to right.
function textLines(regions) {
  const lines = [];
  for (const region of [...regions].sort((one, other) => one.box[0] - other.box[0])) {
    let [best, most] = [null, SAME_LINE];
    for (const line of lines) {
      const last = line.at(-1).box;
      const share = (Math.min(last[3], region.box[3]) - Math.max(last[1], region.box[1])) / Math.min(heightOf(last), heightOf(region.box));
      if (share > most && region.box[0] - last[2] < LINE_GAP * Math.max(heightOf(last), heightOf(region.box))) [best, most] = [line, share];
    }
    if (best) best.push(region);
    else lines.push([region]);
  }
  const level = (line) => line.reduce((total, { box }) => total + middleOf(box)[1], 0) / line.length;
  return lines.sort((one, other) => level(one) - level(other));
}

// The labels in reading order. Those of one line are joined to numbers; lines are separated by a space.
export function writingText(regions, predictions) {
  const labelOf = new Map(regions.map((region, index) => [region, predictions[index].label]));
  return textLines(regions).map((line) => lineText(line.map((region) => [region.box, labelOf.get(region)]))).filter(Boolean).join(" ");
}

// The text of [box, label] pairs from left to right; empty if all are rejected.
function lineText(line) {
  const known = line.flatMap(([, label], place) => (label === null ? [] : [place]));
  if (!known.length) return "";
  let [first, last] = [known[0], known.at(-1)];
  while (first && areTouching(line[first - 1][0], line[first][0])) first -= 1;
  while (last + 1 < line.length && areTouching(line[last][0], line[last + 1][0])) last += 1;
  const text = line.slice(first, last + 1).map(([, label]) => label ?? P.UNKNOWN).join("");
  return text.replace(new RegExp(`\\${P.UNKNOWN}{${P.MAX_UNKNOWN + 1},}`, "g"), " ").trim();
}

function areTouching(left, right) {
  const [low, high] = [heightOf(left), heightOf(right)].sort((one, other) => one - other);
  return right[0] - left[2] < P.NUMBER_GAP * high && low > P.NUMBER_HEIGHT * high;
}
