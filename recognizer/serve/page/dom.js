// Elements, numbers and messages to the user.

const notice = document.getElementById("notice");
let hideTimer = 0;

// `undo`: what the button Undo does; it is then shown for longer.
export function tell(words, undo) {
  notice.replaceChildren(words);
  if (undo) {
    const button = element("button", { type: "button", textContent: "Undo" });
    button.addEventListener("click", telling(async () => {
      notice.hidden = true;
      await undo();
    }));
    notice.append(" ", button);
  }
  notice.hidden = false;
  hideAfter((undo ? 8000 : 3000) + 40 * words.length);
}

function hideAfter(ms) {
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => (notice.hidden = true), ms);
}

// It stays while the pointer is on it, or the focus is in it.
for (const entered of ["pointerenter", "focusin"]) notice.addEventListener(entered, () => clearTimeout(hideTimer));
for (const left of ["pointerleave", "focusout"]) notice.addEventListener(left, () => hideAfter(3000));

// Wraps an event handler: its errors are shown to the user, not only in the console.
export function telling(work) {
  return async (...words) => {
    try {
      return await work(...words);
    } catch (error) {
      tell(error.message);
    }
  };
}

export function element(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

// In whole percent; 100 only if it is all. With a no-break space.
export const percent = (share) => (share == null ? "–" : `${share < 1 ? Math.min(99, Math.round(100 * share)) : 100}\u00a0%`);
