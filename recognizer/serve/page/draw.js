// The drawing page: the canvas is recognized like a picture of paper.

import { answerToDrawing } from "./answers.js";
import { telling } from "./dom.js";
import { showCards } from "./seen.js";
import { isDrawable, onChange, state, subject } from "./state.js";

const PEN = 20; // line width in pixels
const STEP = 12; // pixels per press of an arrow key
const READ_AFTER_MS = 60;
const PAPER = "#fbfaf6";
const INK = "#1c2733";

const sheet = document.getElementById("sheet");
const text = document.getElementById("draw-text");
const seen = document.getElementById("draw-seen");
const pen = sheet.getContext("2d");

let strokes = []; // each a list of [x, y]
let stroke = null; // the current stroke
let point = [sheet.width / 2, sheet.height / 2]; // position of the keyboard's pen
let due = 0;
let reading = false;

// Only paper tasks can be drawn. For other tasks, the drawing is recognized as digits.
const task = () => (isDrawable() ? state.task : "digits");

function paint(withPen = false) {
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.strokeStyle = INK;
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const points of strokes) {
    pen.beginPath();
    points.forEach(([x, y], index) => pen[index ? "lineTo" : "moveTo"](x, y));
    if (points.length === 1) pen.lineTo(points[0][0] + 0.1, points[0][1]);
    pen.stroke();
  }
  if (!withPen) return;
  pen.strokeStyle = stroke ? "#c4392b" : "#1769d2";
  pen.lineWidth = 3;
  pen.beginPath();
  pen.arc(...point, PEN, 0, 7);
  pen.stroke();
}

// The sheet without the keyboard's pen.
export function drawing() {
  paint();
  return sheet;
}

function readSoon() {
  clearTimeout(due);
  due = setTimeout(read, READ_AFTER_MS);
}

const read = telling(async () => {
  if (reading) {
    readSoon();
    return;
  }
  reading = true;
  try {
    const answer = strokes.length ? await answerToDrawing(drawing(), task()) : { text: "", regions: [] };
    text.textContent = answer.text || (strokes.length ? "–" : "");
    showCards(seen, answer.regions);
  } finally {
    reading = false;
  }
});

function at(event) {
  const place = sheet.getBoundingClientRect();
  return [((event.clientX - place.left) / place.width) * sheet.width, ((event.clientY - place.top) / place.height) * sheet.height];
}

sheet.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  sheet.setPointerCapture(event.pointerId);
  stroke = [at(event)];
  strokes.push(stroke);
  paint();
});
sheet.addEventListener("pointermove", (event) => {
  if (!stroke || !event.buttons) return;
  const passed = event.getCoalescedEvents?.() ?? [];
  for (const one of passed.length ? passed : [event]) stroke.push(at(one));
  paint();
  readSoon();
});
for (const end of ["pointerup", "pointercancel"]) {
  sheet.addEventListener(end, () => {
    stroke = null;
    readSoon();
  });
}

sheet.addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key in moves) {
    const [dx, dy] = moves[event.key];
    const inside = (value, limit) => Math.min(limit - PEN, Math.max(PEN, value));
    point = [inside(point[0] + STEP * dx, sheet.width), inside(point[1] + STEP * dy, sheet.height)];
    stroke?.push(point);
  } else if (event.key === " ") {
    if (stroke) stroke = null;
    else strokes.push((stroke = [point]));
  } else return;
  event.preventDefault();
  readSoon();
  paint(true);
});
sheet.addEventListener("focus", () => sheet.matches(":focus-visible") && paint(true));
sheet.addEventListener("blur", () => {
  stroke = null;
  paint();
});

document.getElementById("draw-clear").addEventListener("click", () => {
  strokes = [];
  paint();
  read();
});
document.getElementById("draw-undo").addEventListener("click", () => {
  strokes.pop();
  paint();
  read();
});

function showTask() {
  const shown = subject();
  const words = `${state.task} is about ${shown?.description}, which cannot be drawn. What you write here is read as digits.`;
  document.getElementById("draw-task").textContent = shown && !shown.drawable ? words : "";
}

onChange("subjects", showTask);
onChange("task", () => {
  showTask();
  if (strokes.length) read();
});
paint();
