// Service worker: answers from its own copy of the export, so that the page works offline.

const VERSION = "@VERSION@"; // the SHA-256 of all files
const FILES = ["@FILES@"]; // all but the runtime, of which a browser needs one of several builds

async function store() {
  const cache = await caches.open(VERSION);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name !== VERSION) await caches.delete(name);
}

// Headers that isolate the page: threads share memory only then.
function withIsolation(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

async function answer(request) {
  const cache = await caches.open(VERSION);
  const stored = await cache.match(request, { ignoreSearch: true });
  if (stored) return withIsolation(stored);
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return withIsolation(response);
}

self.addEventListener("install", (event) => event.waitUntil(store().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(self.registration.scope)) event.respondWith(answer(event.request));
});
