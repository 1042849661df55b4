// From the 21 joints of a hand to the features of its pose, as recognizer/preprocess/pose.py.

import { clip, finite, mean, range } from "./arithmetic.js";
import { pose } from "./constants.js";

const { JOINTS, REACH, WRIST, INDEX_ROOT, MIDDLE_ROOT, LITTLE_ROOT } = pose;
const ENDS = range(JOINTS).slice(1);
const startOf = (joint) => (joint % 4 === 1 ? WRIST : joint - 1);

const minus = (a, b) => a.map((value, axis) => value - b[axis]);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const length = (a) => Math.hypot(...a);
const unit = (a) => a.map((value) => value / Math.max(length(a), 1e-6));

// Features (Float32Array) of joints [x, y, z]. `side` is "left" or "right"; a left hand has the features of its mirror image.
export function poseFeatures(joints, side) {
  const points = normalised(joints, side);
  const bones = ENDS.map((joint) => unit(minus(points[joint], points[startOf(joint)])));
  const axes = palmAxes(points);
  const turned = points.slice(1).map((point) => axes.map((axis) => dot(point, axis)));
  const distances = range(JOINTS).flatMap((first) => range(JOINTS).slice(first + 1).map((second) => length(minus(points[first], points[second]))));
  return Float32Array.from([...bones.flat(), ...turned.flat(), ...distances]);
}

// The wrist is at 0 and the palm has length 1.
function normalised(joints, side) {
  const known = joints.map((joint) => joint.map(finite));
  const points = known.map((joint) => minus(joint, known[WRIST]));
  const palm = Math.max(mean([INDEX_ROOT, MIDDLE_ROOT, LITTLE_ROOT].map((root) => length(points[root]))), 1e-6);
  return points.map((point) => {
    const [x, y, z] = point.map((value) => clip(value / palm, -REACH, REACH));
    return [side === "left" ? -x : x, y, z];
  });
}

// The palm's axes: along it, across it and out of it.
function palmAxes(points) {
  const along = unit(minus(points[MIDDLE_ROOT], points[WRIST]));
  const sideways = minus(points[LITTLE_ROOT], points[INDEX_ROOT]);
  const across = unit(minus(sideways, along.map((value) => value * dot(sideways, along))));
  return [along, across, cross(along, across)];
}
