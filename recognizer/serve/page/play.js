// Rock, paper, scissors against the computer. Both hands stay side by side until the next round.

import { onAnswer } from "./answers.js";
import * as camera from "./camera.js";
import { choose, current, onChange, state } from "./state.js";

const SIGNS = ["rock", "paper", "scissors"];
const BEATS = { rock: "scissors", paper: "rock", scissors: "paper" };
const COUNT_FROM = 3;
const COUNT_MS = 800; // between two numbers, as in the window
const REACTION_MS = 300; // after "shoot" until hands have opened and the label has settled
const VOTE_MS = 600; // frames of this time vote on the sign

const count = document.getElementById("count");
const yours = document.getElementById("play-yours");
const theirs = document.getElementById("play-theirs");
const outcome = document.getElementById("play-outcome");
const score = document.getElementById("play-score");
const startButton = document.getElementById("play-start");
const taskButton = document.getElementById("play-task");
const hands = document.getElementById("play-hands");
const hint = document.getElementById("play-hint");

let round = null; // {theirs, start, held, pictures} while a round runs
let wins = 0, losses = 0;

const canPlay = () => SIGNS.every((sign) => current()?.labels.includes(sign));

function start() {
  if (round || !canPlay()) return;
  if (!camera.isOn()) {
    outcome.textContent = "Start the camera first.";
    return;
  }
  round = { theirs: SIGNS[Math.floor(Math.random() * 3)], start: performance.now(), held: [], pictures: new Map() };
  outcome.textContent = "Rock, paper, scissors …";
  showHand(yours, null, "");
  showHand(theirs, null, "");
  startButton.disabled = true;
  tick();
}

// The countdown over the picture.
function tick() {
  if (!round) return;
  const left = COUNT_FROM - Math.floor((performance.now() - round.start) / COUNT_MS);
  count.textContent = left > 0 ? left : "shoot!";
  if (left > 0) setTimeout(tick, 50);
}

onAnswer((answer, frameTime) => {
  if (!round || !answer.regions) return;
  const sinceShoot = frameTime - round.start - COUNT_FROM * COUNT_MS;
  if (sinceShoot < REACTION_MS) return;
  const shown = answer.regions.filter((region) => SIGNS.includes(region.label));
  const sign = new Set(shown.map((region) => region.label)).size === 1 ? shown[0].label : null;
  if (sinceShoot < REACTION_MS + VOTE_MS || !round.held.length) {
    round.held.push(sign);
    if (sign) round.pictures.set(sign, camera.part(shown[0].box));
  }
  if (sinceShoot >= REACTION_MS + VOTE_MS) end();
});

// The sign of more than half of the frames, else null.
function majority(held) {
  return SIGNS.find((sign) => 2 * held.filter((one) => one === sign).length > held.length) ?? null;
}

function end() {
  const { theirs: computer, held, pictures } = round;
  const mine = majority(held);
  stopRound();
  showHand(yours, pictures.get(mine), mine ?? "no sign");
  showHand(theirs, Object.assign(new Image(), { src: `/hands/${computer}.png`, alt: "" }), computer);
  if (mine === null) outcome.textContent = "Show rock, paper or scissors.";
  else if (mine === computer) outcome.textContent = `Draw: both ${mine}.`;
  else if (BEATS[mine] === computer) {
    wins += 1;
    outcome.textContent = `You win: ${mine} beats ${computer}.`;
  } else {
    losses += 1;
    outcome.textContent = `The computer wins: ${computer} beats ${mine}.`;
  }
  showScore();
}

function stopRound() {
  round = null;
  count.textContent = "";
  startButton.disabled = !canPlay();
}

function showHand(figure, picture, sign) {
  figure.querySelector(".hand").replaceChildren(...(picture ? [picture] : []));
  figure.querySelector("b").textContent = sign;
}

function showScore() {
  score.textContent = `You ${wins} : ${losses} computer`;
}

function showTask() {
  stopRound();
  const place = state.tasks.some((task) => task.name === "rps");
  hint.textContent = canPlay() ? "Start a round, and show your sign at “shoot!”." : `${state.task} does not have the signs rock, paper and scissors.`;
  taskButton.hidden = canPlay() || !place;
  startButton.hidden = hands.hidden = score.hidden = !canPlay();
  outcome.textContent = "";
}

startButton.addEventListener("click", start);
taskButton.addEventListener("click", () => choose("rps"));
document.getElementById("play-reset").addEventListener("click", () => {
  wins = losses = 0;
  outcome.textContent = "";
  showScore();
});
document.addEventListener("keydown", (event) => {
  if (state.tab !== "play" || event.key !== " " || event.target !== document.body) return;
  event.preventDefault();
  start();
});
onChange("task", showTask);
onChange("tasks", showTask);
onChange("tab", () => state.tab === "play" || stopRound());
showScore();
