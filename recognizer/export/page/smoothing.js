// Smooths labels over time, as recognizer/smoothing.py.

import { heightOf, middleOf, widthOf } from "./arithmetic.js";
import { smoothing as K } from "./constants.js";

export class Smoother {
  tracks = [];
  time = 0;

  // Smoothed predictions, one for each region. `time` in seconds.
  update(time, regions, predictions) {
    if (time < this.time) this.tracks = [];
    const elapsed = time - this.time;
    this.time = time;
    this.tracks = this.tracks.filter((track) => time - track.seen <= K.HOLD_S);
    const matches = matched(this.tracks.map(({ box }) => box), regions.map(({ box }) => box));
    return regions.map(({ box }, index) => {
      const prediction = predictions[index];
      let track = matches.get(index);
      if (track === undefined) {
        track = { box, seen: time, shown: prediction, evidence: new Map() };
        this.tracks.push(track);
      } else {
        track = this.tracks[track];
        Object.assign(track, { box, seen: time });
        addEvidence(track, prediction, elapsed);
      }
      return shown(track, prediction);
    });
  }
}

function addEvidence(track, prediction, elapsed) {
  const { label } = prediction;
  for (const [other, seconds] of track.evidence) {
    if (other !== label) track.evidence.set(other, Math.max(0, seconds - K.COUNTER_EVIDENCE_WEIGHT * elapsed));
  }
  if (label === track.shown.label) {
    track.shown = prediction;
    return;
  }
  const seconds = (track.evidence.get(label) ?? 0) + elapsed;
  track.evidence.set(label, seconds);
  if (seconds >= (label === null ? K.HOLD_S : K.SWITCH_S)) {
    track.shown = prediction;
    track.evidence.clear();
  }
}

function shown(track, prediction) {
  if (track.shown.label === prediction.label) return prediction;
  return track.shown.label === null ? { ...prediction, label: null } : track.shown;
}

// Matches boxes of this frame to boxes of the last one greedily, nearest pairs first: a Map from the index now to the index before.
function matched(before, now) {
  const longer = (box) => Math.max(1, widthOf(box), heightOf(box));
  const pairs = now.flatMap((box, i) => before.map((old, j) => {
    const [[x, y], [oldX, oldY]] = [middleOf(box), middleOf(old)];
    const larger = Math.max(longer(box), longer(old));
    return { i, j, distance: Math.hypot(x - oldX, y - oldY) / larger, ratio: larger / Math.min(longer(box), longer(old)) };
  }));
  const matches = new Map();
  const taken = new Set();
  for (const { i, j } of pairs.filter(({ distance, ratio }) => distance < K.MAX_SHIFT && ratio < K.MAX_SIZE_RATIO).sort((one, other) => one.distance - other.distance)) {
    if (matches.has(i) || taken.has(j)) continue;
    matches.set(i, j);
    taken.add(j);
  }
  return matches;
}
