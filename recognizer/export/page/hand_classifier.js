// Classifies hands by their joints, their pixels, or both, as recognizer/classifiers/hands.py and subjects/hands.py.

import { iou, mean, range } from "./arithmetic.js";
import { AppearanceExtractor } from "./appearance.js";
import { handClassifier as K, handSubject as S } from "./constants.js";
import { extent } from "./hand_networks.js";
import { colourInput, handImage, planeInput } from "./pictures.js";
import { poseFeatures } from "./pose.js";

export class HandClassifier {
  // `kind`: pose, fused, pixels or colour. `extractor`: the landmark network, for fused.
  constructor(kind, side, classifier, extractor, isStream) {
    Object.assign(this, { kind, side, classifier, isStream });
    this.cache = kind === "fused" ? new AppearanceCache(new AppearanceExtractor(extractor), isStream) : null;
    this.evidence = isStream ? new Evidence() : null;
  }

  async predict(picture, regions) {
    this.cache?.nextFrame();
    this.evidence?.nextFrame();
    const predictions = [];
    for (const region of regions) predictions.push(this.classifier.prediction(await this.scores(picture, region)));
    return predictions;
  }

  async scores(picture, region) {
    if (this.kind === "colour") return this.classifier.scores([colourInput(picture, region.box, this.side)]);
    if (this.kind === "pixels") return this.classifier.scores([planeInput(handImage(picture, region.box))]);
    const views = [];
    for (const hand of [region.hand, region.mirroredHand]) if (hand) views.push(await this.view(picture, region, hand));
    const scores = await this.classifier.scores(views.map(({ input }) => input));
    return this.evidence ? this.evidence.add(region.box, views[0].pose, scores) : scores;
  }

  async view(picture, region, hand) {
    const pose = poseFeatures(hand.joints, hand.side);
    if (!this.cache) return { pose, input: pose };
    const appearance = await this.cache.features(picture, region, hand, pose);
    return { pose, input: Float32Array.from([...pose, ...appearance]) };
  }
}

// The appearance features of hands. In a stream, those of hands that are held still are used again.
class AppearanceCache {
  constructor(extractor, isStream) {
    Object.assign(this, { extractor, isStream, frame: 0, recent: [] });
  }

  nextFrame() {
    this.frame += 1;
    this.recent = this.recent.filter(({ frame }) => this.isStream && this.frame - frame < K.EXTRACT_EVERY);
  }

  async features(picture, { box }, hand, pose) {
    const known = this.isStream && this.recent.find((before) => isStill(box, pose, before));
    if (known) return known.features;
    const features = await this.extractor.features(picture, box, hand.joints, hand.side);
    this.recent.push({ frame: this.frame, box, pose, features });
    return features;
  }
}

// Averages the scores of each still hand over the frames of a stream.
class Evidence {
  before = [];
  now = [];

  nextFrame() {
    [this.before, this.now] = [this.now, []];
  }

  add(box, pose, scores) {
    const recent = [...(this.before.find((hand) => isStill(box, pose, hand))?.recent ?? []), scores].slice(-K.EVIDENCE_FRAMES);
    this.now.push({ box, pose, recent });
    return {
      probabilities: range(scores.probabilities.length).map((label) => mean(recent.map(({ probabilities }) => probabilities[label]))),
      distance: mean(recent.map(({ distance }) => distance)),
    };
  }
}

const isStill = (box, pose, before) =>
  iou(box, before.box) > K.SAME_PLACE && mean(Array.from(pose, (value, index) => Math.abs(value - before.pose[index]))) < K.MAX_POSE_CHANGE;

// Rejects hands in fast movement.
export class HandPostprocessor {
  before = { time: -1, hands: [] };

  postprocess(time, regions, predictions) {
    const elapsed = time - this.before.time;
    const labelled = predictions.map((prediction, index) => {
      if (!(elapsed > 0 && elapsed < S.MAX_GAP_S)) return prediction;
      const moved = travel(regions[index].hand.joints, this.before.hands);
      return moved !== null && moved > S.MAX_SPEED * elapsed ? { ...prediction, label: null } : prediction;
    });
    this.before = { time, hands: regions.map(({ hand }) => hand.joints) };
    return { regions, predictions: labelled };
  }
}

// Distance to the nearest hand of the last frame, in hand sizes; null if no hand was near.
function travel(joints, before) {
  const { low, high } = extent(joints);
  const size = Math.max(high[0] - low[0], high[1] - low[1]);
  if (size <= 0) return null;
  const moves = before.map((other) => mean(joints.map(([x, y], joint) => Math.hypot(x - other[joint][0], y - other[joint][1]))) / size);
  const nearest = Math.min(S.SAME_HAND, ...moves);
  return nearest < S.SAME_HAND ? nearest : null;
}
