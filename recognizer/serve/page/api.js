// Requests to the server, and messages to the user.

export class Problem extends Error {
  constructor(body) {
    super(`${body.what}: ${body.found}. ${body.remedy}`);
    this.body = body;
  }
}

export async function ask(method, path, body) {
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
    throw new Problem({ what: "The server does not answer", found: location.host, remedy: "Check that it is still running", status: 0 });
  }
  if (response.status === 401) location.assign("/enter");
  const content = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) {
    throw new Problem(content ?? { what: "The server failed", found: `${response.status}`, remedy: "The server's terminal shows more", status: response.status });
  }
  return content;
}

const notice = document.getElementById("notice");
let hideTimer = 0;

export function tell(words) {
  notice.textContent = words;
  notice.hidden = false;
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => (notice.hidden = true), 3000 + 40 * words.length);
}

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

export const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(share < 0.995 || share === 1 ? 0 : 1)} %`);
export const named = (task, ...rest) => [`task=${encodeURIComponent(task)}`, ...rest].join("&");
