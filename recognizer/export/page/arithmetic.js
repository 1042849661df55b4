// Arithmetic as NumPy and OpenCV do it, so that the browser rounds as the program does.

const HALF_EVEN = 1.5 * 2 ** 52; // adding it rounds a number to an integer, ties to the even one

export const rint = (value) => value + HALF_EVEN - HALF_EVEN;
export const clip = (value, low, high) => Math.min(Math.max(value, low), high);
export const finite = (value) => (Number.isFinite(value) ? value : 0);
export const sigmoid = (value) => 1 / (1 + Math.exp(-value));
export const range = (count) => Array.from({ length: count }, (_, index) => index);
export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;
export const argmax = (values) => values.reduce((best, value, index) => (value > values[best] ? index : best), 0);

export function softmax(logits) {
  const highest = Math.max(...logits);
  const exponentials = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = sum(exponentials);
  return exponentials.map((value) => value / total);
}

// The remainder of an angle within -pi to pi, as Python's math.remainder(angle, 2 * pi).
export const wrapped = (angle) => angle - 2 * Math.PI * rint(angle / (2 * Math.PI));

// The middle value; for an even count, the mean of the two middle ones.
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Boxes are [x1, y1, x2, y2] in pixels of the picture, x2 and y2 exclusive.
export const widthOf = (box) => box[2] - box[0];
export const heightOf = (box) => box[3] - box[1];
export const areaOf = (box) => widthOf(box) * heightOf(box);
export const middleOf = (box) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
export const overlapOf = (box, other) =>
  Math.max(0, Math.min(box[2], other[2]) - Math.max(box[0], other[0])) * Math.max(0, Math.min(box[3], other[3]) - Math.max(box[1], other[1]));

// Intersection over union, 0 to 1.
export function iou(box, other) {
  const shared = overlapOf(box, other);
  return shared ? shared / (areaOf(box) + areaOf(other) - shared) : 0;
}

// The items without those that are the same as an earlier one.
export function withoutRepeats(items, isSame) {
  const selected = [];
  for (const item of items) if (!selected.some((other) => isSame(item, other))) selected.push(item);
  return selected;
}
