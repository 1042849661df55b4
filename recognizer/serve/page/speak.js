// What a screen reader says of the picture: a result that stays for a moment, not each of the many in a second.

const STEADY_MS = 700;

const region = document.getElementById("spoken");
let waiting = ""; // the text that is to be said when it has stayed
let timer = 0;

export function speak(text) {
  if (text === waiting) return;
  waiting = text;
  clearTimeout(timer);
  timer = setTimeout(() => (region.textContent = text), STEADY_MS);
}
