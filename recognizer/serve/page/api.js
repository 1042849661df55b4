// Requests to the server, and whether it answers.

import { element } from "./dom.js";

export * from "./dom.js";

const LOOK_EVERY_MS = 1000; // while the server does not answer
const LOOK_LIMIT_MS = 4000; // for one answer to the question whether it is there

export class Problem extends Error {
  constructor(body) {
    super(`${body.what}: ${body.found}. ${body.remedy}`);
    this.body = body;
  }
}

// The parsed JSON of an answer; null if it is empty. Raises a Problem.
export async function ask(method, path, body) {
  const response = await request(method, path, body);
  return response.status === 204 ? null : response.json();
}

// The answer to a request that succeeded. Raises a Problem.
export async function request(method, path, body) {
  const options = { method };
  if (body instanceof Blob) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    checkServer();
    throw new Problem({ what: "The server does not answer", found: location.host, remedy: "Check that it is still running", status: 0 });
  }
  if (response.status === 401) location.assign("/enter");
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  throw new Problem(problem ?? { what: "The server failed", found: `${response.status}`, remedy: "The server's terminal shows more", status: response.status });
}

const banner = document.getElementById("gone");
const listeners = [];
let gone = false;
let checking = null; // the check that runs

// Whether the server does not answer. The page then records nothing.
export const isServerGone = () => gone;

// `then` is called when the server has gone, and when it is back.
export const onServer = (then) => listeners.push(then);

function setGone(isGone) {
  if (gone === isGone) return;
  gone = isGone;
  banner.hidden = !gone;
  document.body.classList.toggle("server-gone", gone);
  for (const then of listeners) then();
}

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(LOOK_LIMIT_MS) })).ok;
  } catch {
    return false;
  }
}

// Ask the server whether it is there; if not, say so and ask again until it is. Resolves when it answers.
export function checkServer() {
  checking ??= (async () => {
    while (!(await answers())) {
      setGone(true);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    checking = null;
    setGone(false);
  })();
  return checking;
}

// Shows an error at the fields of a form that it is about, or else in the form's last line.
export function showErrors(form, error) {
  for (const wrong of form.querySelectorAll(".wrong")) wrong.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  if (!error) return;
  const fields = Object.entries(error.body?.fields ?? {}).filter(([name]) => form.elements[name]);
  for (const [name, reason] of fields) {
    const input = form.elements[name];
    const wrong = element("p", { className: "wrong", id: `${name}-wrong`, textContent: reason });
    wrong.setAttribute("role", "alert");
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", wrong.id);
    input.after(wrong);
    input.focus();
  }
  if (fields.length) return;
  const wrong = element("p", { className: "wrong", textContent: error.message });
  wrong.setAttribute("role", "alert");
  form.append(wrong);
}

export const named = (task, ...rest) => [`task=${encodeURIComponent(task)}`, ...rest].join("&");
