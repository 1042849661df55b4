// Makes the page work without a network, and isolates it from other pages, which browsers demand for threads.

const TRIED = `isolation was tried: ${location.pathname}`;

// Whether the page is about to be loaded again, now through the service worker. Where there is none, the page works without.
export async function isolated() {
  const workers = navigator.serviceWorker;
  if (!workers) return false; // not a secure address
  const registering = workers.register("sw.js").catch(() => null);
  if (self.crossOriginIsolated) {
    sessionStorage.removeItem(TRIED);
    return false;
  }
  if (sessionStorage.getItem(TRIED)) return false; // a browser that does not isolate must not load the page for ever
  if (!workers.controller && !(await isActive(await registering))) return false;
  sessionStorage.setItem(TRIED, "yes");
  location.reload();
  return true;
}

// Whether the service worker became active, once it has stored the files or failed to.
function isActive(registration) {
  const worker = registration && (registration.installing ?? registration.waiting ?? registration.active);
  if (!worker) return false;
  const isSettled = () => ["activated", "redundant"].includes(worker.state);
  return new Promise((resolve) => {
    if (isSettled()) resolve(worker.state === "activated");
    worker.addEventListener("statechange", () => isSettled() && resolve(worker.state === "activated"));
  });
}
