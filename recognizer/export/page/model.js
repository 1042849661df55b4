// Opens the export: model.json, its networks and its arrays. A file that is damaged is named.

import { Classifier } from "./classifier.js";
import { Network } from "./network.js";

const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

// {model, networks, classifier}: the content of model.json, the networks by name, and the classifier.
export async function openModel() {
  const model = await (await answered("model.json")).json();
  const [networks, arrays] = await Promise.all([
    openAll(model.networks, async ({ file, outputs }) => Network.open(new Uint8Array(await checkedFile(model, file)), outputs)),
    openAll(model.arrays, async ({ file, shape, dtype }) => ({ shape, data: new TYPES[dtype](await checkedFile(model, file)) })),
  ]);
  return { model, networks, classifier: new Classifier(model, networks.classifier ?? null, arrays) };
}

async function openAll(files, open) {
  return Object.fromEntries(await Promise.all(Object.entries(files).map(async ([name, file]) => [name, await open(file)])));
}

export async function answered(file) {
  const response = await fetch(file).catch(() => null);
  if (!response?.ok) throw new Error(`${file} is missing. Copy the whole export to the web server again.`);
  return response;
}

// The bytes of a file, whose SHA-256 model.json names. Browsers compute it only on https and on this machine's own addresses.
export async function checkedFile(model, file) {
  const content = await (await answered(file)).arrayBuffer();
  if (!self.crypto?.subtle || !model.files[file]) return content;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== model.files[file]) throw new Error(`${file} is damaged: its SHA-256 is ${found.slice(0, 12)}…, and model.json says ${model.files[file].slice(0, 12)}….`);
  return content;
}
