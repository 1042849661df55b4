// A question before something that changes much.

const dialog = document.getElementById("confirm");
const question = document.getElementById("confirm-question");
const yes = dialog.querySelector('[value="yes"]');

// Asks the user. `action` is what the button says. Resolves with whether it was pressed.
export function confirmed(words, action) {
  question.textContent = words;
  yes.textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
