// The page's state: the exported task, the current tab, and change events.

import { answered } from "./model.js";

// Why a browser may forbid the camera on this page, and what to do.
export const INSECURE = "Browsers allow it only over https, or on this machine's own address (localhost).";

export const CAMERA_TABS = ["live"]; // these show the camera

export const model = await (await answered("model.json")).json();
const subjects = {
  hand: { name: "hand", description: "a hand", mirrored: true, drawable: false, prompt: "Show a sign to the camera." },
  paper: { name: "paper", description: "writing on paper", mirrored: false, drawable: true, prompt: "Hold a sheet to the camera." },
  box: { name: "box", description: "an object in the box", mirrored: true, drawable: false, prompt: "Hold something into the box." },
};
export const state = { task: model.task, tab: "live" };

const changes = new EventTarget();
export const onChange = (what, then) => changes.addEventListener(what, then);

export const subject = () => subjects[model.subject];
export const current = () => ({ name: model.task, region: model.subject, labels: model.labels });
export const isDrawable = () => subject().drawable;

export function open(tab) {
  state.tab = tab;
  changes.dispatchEvent(new Event("tab"));
}

export const started = () => changes.dispatchEvent(new Event("task"));
