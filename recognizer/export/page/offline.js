// Makes the page work without a network, and isolates it from other pages, which browsers demand for threads.

const TRIED = `isolation was tried: ${location.pathname}`;

// Whether the page is about to be loaded again, now through the service worker. Where there is none, the page works without.
export async function isolated() {
  if (!navigator.serviceWorker) return false; // not a secure address
  const registration = await navigator.serviceWorker.register("sw.js").catch(() => null);
  if (!registration || self.crossOriginIsolated || sessionStorage.getItem(TRIED)) return false;
  const isActive = await settled(registration.installing ?? registration.waiting ?? registration.active);
  if (!isActive) return false;
  sessionStorage.setItem(TRIED, "yes"); // a browser that does not isolate must not load the page for ever
  location.reload();
  return true;
}

// Whether the service worker became active, once it has stored the files or failed to.
function settled(worker) {
  const isDone = () => ["activated", "redundant"].includes(worker.state);
  return new Promise((resolve) => {
    if (isDone()) resolve(worker.state === "activated");
    worker.addEventListener("statechange", () => isDone() && resolve(worker.state === "activated"));
  });
}
