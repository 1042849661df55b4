// Draws results: boxes over the picture, and a card for each labelled region.

import { element, percent } from "./dom.js";

const SHOWN = 6; // at most this many cards
const SMALL = 12; // at most this many small pictures, of regions without a card
const KNOWN = "#37d694";
const UNKNOWN = "#aeb6bf";
const BONES = [[0, 1, 2, 3, 4], [0, 5, 6, 7, 8], [5, 9, 10, 11, 12], [9, 13, 14, 15, 16], [13, 17, 18, 19, 20], [0, 17]];

// `answer`: the server's response, or null to clear. `mirrored`: whether the picture is mirrored.
export function drawOver(canvas, answer, mirrored) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (!answer) return;
  const scale = Math.min(width / answer.size[0], height / answer.size[1]);
  const left = (width - answer.size[0] * scale) / 2;
  const top = (height - answer.size[1] * scale) / 2;
  const x = (value) => left + scale * (mirrored ? answer.size[0] - value : value);
  const y = (value) => top + scale * value;
  if (answer.guide && !answer.regions.length) drawGuide(pen, answer.guide, x, y, ratio);
  for (const region of answer.regions) drawRegion(pen, region, x, y, ratio);
}

function drawRegion(pen, region, x, y, ratio) {
  const [x1, y1, x2, y2] = region.box;
  const left = Math.min(x(x1), x(x2));
  const top = y(y1);
  const color = region.label === null ? UNKNOWN : KNOWN;
  pen.strokeStyle = color;
  pen.lineWidth = (region.label === null ? 1.25 : 2.5) * ratio;
  pen.setLineDash(region.label === null ? [6 * ratio, 4 * ratio] : []); // told by shape too, not by colour alone
  pen.strokeRect(left, top, Math.abs(x(x2) - x(x1)), y(y2) - top);
  pen.setLineDash([]);
  if (region.joints) drawHand(pen, region.joints, x, y, ratio, color);
  if (region.label === null) return;
  const size = (pen.canvas.clientWidth < 500 ? 12 : 18) * ratio;
  pen.font = `700 ${size}px system-ui, sans-serif`;
  const width = pen.measureText(region.label).width + 0.75 * size;
  const height = 1.4 * size;
  const above = top > height ? top - height : top;
  pen.fillStyle = color;
  pen.fillRect(left - pen.lineWidth / 2, above, width, height);
  pen.fillStyle = "#06281b";
  pen.textBaseline = "middle";
  pen.fillText(region.label, left + 0.33 * size, above + height / 2 + ratio);
}

function drawHand(pen, joints, x, y, ratio, color) {
  pen.lineWidth = 2 * ratio;
  pen.beginPath();
  for (const bone of BONES) bone.forEach((joint, step) => pen[step ? "lineTo" : "moveTo"](x(joints[joint][0]), y(joints[joint][1])));
  pen.stroke();
  pen.fillStyle = color;
  for (const [jx, jy] of joints) {
    pen.beginPath();
    pen.arc(x(jx), y(jy), 3.5 * ratio, 0, 7);
    pen.fill();
  }
}

function drawGuide(pen, guide, x, y, ratio) {
  pen.save();
  pen.strokeStyle = "#ffffff";
  pen.lineWidth = 2 * ratio;
  pen.setLineDash([10 * ratio, 8 * ratio]);
  const left = Math.min(x(guide[0]), x(guide[2]));
  pen.strokeRect(left, y(guide[1]), Math.abs(x(guide[2]) - x(guide[0])), y(guide[3]) - y(guide[1]));
  pen.restore();
}

// A card for each labelled region, small pictures for the others. Elements are reused because they change many times a second.
export function showCards(list, regions) {
  const known = regions.filter((region) => region.label !== null);
  const cards = known.length ? known.slice(0, SHOWN) : regions.slice(0, 1);
  const others = regions.filter((region) => !cards.includes(region));
  reuse(list, ".thing", cards, card, fill);
  let rest = list.querySelector(".rest");
  rest ??= list.appendChild(element("div", { className: "rest" }, element("p"), element("div")));
  rest.hidden = !others.length;
  rest.firstChild.textContent = known.length > SHOWN ? `and ${others.length} more` : "Rejected";
  reuse(rest.lastChild, "img", others.slice(0, SMALL), () => element("img", { width: 44, height: 44 }), fillSmall);
}

function reuse(list, kind, values, make, fillOne) {
  const existing = [...list.querySelectorAll(`:scope > ${kind}`)];
  for (const extra of existing.slice(values.length)) extra.remove();
  values.forEach((value, index) => fillOne(existing[index] ?? list.insertBefore(make(), list.querySelector(":scope > .rest")), value));
}

function fillSmall(image, region) {
  if (region.image && image.getAttribute("src") !== region.image) image.src = region.image;
  image.alt = region.label ?? "not recognized";
  image.title = region.top.map(([label, share]) => `${label} ${percent(share)}`).join(", ");
}

function card() {
  const rows = [0, 1, 2].flatMap(() => [
    element("span", { className: "who" }),
    element("span", { className: "track" }, element("i")),
    element("span", { className: "share" }),
  ]);
  return element("article", { className: "thing" },
    element("img", { alt: "input of the model", width: 84, height: 84 }),
    element("div", {}, element("p", { className: "name" }), element("div", { className: "shares" }, ...rows)));
}

function fill(made, region) {
  made.classList.toggle("unknown", region.label === null);
  const image = made.querySelector("img");
  if (region.image && image.getAttribute("src") !== region.image) image.src = region.image;
  made.querySelector(".name").textContent = region.label ?? "not recognized";
  const cells = made.querySelector(".shares").children;
  for (let row = 0; row < 3; row += 1) {
    const [label, share] = region.top[row] ?? ["", null];
    cells[3 * row].textContent = label;
    cells[3 * row + 1].hidden = share === null;
    cells[3 * row + 1].firstChild.style.width = `${100 * (share ?? 0)}%`;
    cells[3 * row + 2].textContent = share === null ? "" : percent(share);
  }
}
