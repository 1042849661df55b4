// From a network's input to a label or none of them, as recognizer/classifiers/.

import { argmax, mean, range, softmax } from "./arithmetic.js";
import { values } from "./constants.js";

const LAST_LAYERS = { linear, neighbours };

// Classifies network inputs with a model: the content of model.json, its network (or null) and its arrays.
export class Classifier {
  constructor(model, network, arrays) {
    const centres = whiten(arrays.whitening, arrays.means);
    Object.assign(this, { model, network, centres, whitening: arrays.whitening });
    this.limit = model.rejection.max_distance ?? Infinity;
    this.last = model.head ? LAST_LAYERS[model.head](arrays, model) : null;
  }

  // {probabilities, distance}: the mean probabilities of several inputs that show the same object, the last of the background,
  // and their smallest distance to a label.
  async scores(inputs) {
    const found = [];
    for (const input of inputs) found.push(await this.one(input));
    return {
      probabilities: range(found[0].probabilities.length).map((label) => mean(found.map(({ probabilities }) => probabilities[label]))),
      distance: Math.min(...found.map(({ distance }) => distance)),
    };
  }

  async one(input) {
    const { features, probabilities } = this.network ? await this.network.named(input) : { features: input };
    const [whitened] = whiten(this.whitening, { data: features, shape: [1, features.length] });
    const distance = Math.min(...this.centres.map((centre) => Math.sqrt(centre.reduce((total, value, axis) => total + (value - whitened[axis]) ** 2, 0))));
    return { probabilities: this.last ? this.last(features) : probabilities, distance };
  }

  // {label, confidence, top}: the label is null if the scores are rejected.
  prediction({ probabilities, distance }) {
    const { labels, rejection } = this.model;
    const known = probabilities.slice(0, labels.length);
    const best = argmax(known);
    const isAccepted = known[best] >= rejection.min_confidence && distance <= this.limit;
    const top = range(labels.length).sort((one, other) => known[other] - known[one]).slice(0, values.TOP);
    return { label: isAccepted ? labels[best] : null, confidence: known[best], top: top.map((index) => [labels[index], known[index]]) };
  }
}

// Each of the rows multiplied with the whitening matrix.
function whiten(whitening, { data, shape: [rows, size] }) {
  return range(rows).map((row) => Float32Array.from({ length: size }, (_, axis) => {
    let total = 0;
    for (let index = 0; index < size; index += 1) total += data[row * size + index] * whitening.data[axis * size + index];
    return total;
  }));
}

function linear({ kernel, bias }) {
  const classes = bias.data.length;
  return (features) => softmax(range(classes).map((label) => {
    let logit = bias.data[label];
    for (let index = 0; index < features.length; index += 1) logit += features[index] * kernel.data[index * classes + label];
    return logit;
  }));
}

// The nearest stored samples vote.
function neighbours({ samples, votes }, { labels, neighbours: { k, measure } }) {
  const [count, size] = samples.shape;
  const rows = range(count).map((row) => samples.data.subarray(row * size, (row + 1) * size));
  const squares = rows.map((row) => row.reduce((total, value) => total + value * value, 0));
  const isCosine = measure === "cosine";
  return (features) => {
    const near = rows.map((row, index) => {
      let product = 0;
      for (let place = 0; place < size; place += 1) product += features[place] * row[place];
      return isCosine ? product / Math.sqrt(Math.max(squares[index], 1)) : product - squares[index] / 2;
    });
    const chosen = range(count).sort((one, other) => near[other] - near[one]).slice(0, k);
    return range(labels.length + 1).map((label) => chosen.filter((row) => votes.data[row] === label).length / chosen.length);
  };
}
