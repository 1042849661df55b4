// Spelling: the server makes words of the signs that are held; this shows the line, its suggestions, and where it can go.

import { element, tell, telling } from "./api.js";
import { onAnswer, onConnect, sendMessage } from "./answers.js";
import { onChange, state } from "./state.js";

const ADDED = "spell-line-added"; // for screen readers: only what has changed
const KEYS = { Backspace: "delete", Delete: "clear", " ": "space", 1: "1", 2: "2", 3: "3" };

const line = document.getElementById("spell-line");
const added = document.getElementById(ADDED);
const words = document.getElementById("spell-words");
const held = document.getElementById("spell-held");
const progress = document.getElementById("spell-progress");

let spelled = { text: "", finished: "", word: "", suggestions: [], held: "", progress: 0 };

const isSpelling = () => state.tab === "spell";

function act(action) {
  if (!sendMessage({ spell: action })) tell("Start the camera first.");
}

function show(now) {
  const before = spelled;
  spelled = now;
  line.replaceChildren(now.finished, element("strong", { textContent: now.word }), element("span", { className: "cursor" }));
  held.textContent = now.held || "–";
  progress.value = now.progress;
  if (before.suggestions.join("\n") !== now.suggestions.join("\n")) showWords(now.suggestions);
  if (now.finished.length > before.finished.length) added.textContent = now.finished.slice(before.finished.length);
  else if (now.word !== before.word || now.finished !== before.finished) added.textContent = now.word.length > before.word.length ? now.word.at(-1) : `deleted, ${now.word || "no word"}`;
}

function showWords(suggestions) {
  [...words.children].forEach((button, index) => {
    button.disabled = !suggestions[index];
    button.lastChild.textContent = suggestions[index] ?? "";
  });
}

for (const number of ["1", "2", "3"]) {
  const button = element("button", { type: "button", disabled: true }, element("kbd", { textContent: number }), element("span"));
  button.addEventListener("click", () => act(number));
  words.append(button);
}
for (const [id, action] of [["spell-space", "space"], ["spell-delete", "delete"], ["spell-clear", "clear"]]) {
  document.getElementById(id).addEventListener("click", () => act(action));
}
document.getElementById("spell-copy").addEventListener("click", telling(async () => {
  await navigator.clipboard.writeText(spelled.text);
  tell(`Copied: ${spelled.text}`);
}));
document.getElementById("spell-speak").addEventListener("click", () => speechSynthesis.speak(new SpeechSynthesisUtterance(spelled.text)));

// Keys work wherever the focus is, but on what has keys of its own.
document.addEventListener("keydown", (event) => {
  const hasOwnKeys = event.target.closest("input, select, textarea, dialog, summary") || (event.key === " " && event.target.closest("button, a"));
  if (!isSpelling() || hasOwnKeys || event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
  event.preventDefault();
  act(KEYS[event.key]);
});

onAnswer((answer) => {
  if (answer.spelled) show(answer.spelled);
});
onConnect(() => {
  if (isSpelling()) sendMessage({ spell: "start" });
});
onChange("tab", () => sendMessage({ spell: isSpelling() ? "start" : "stop" }));
