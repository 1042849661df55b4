// The tabs of the page: by click, arrow key and address.

import { CAMERA_TABS, onChange, open, state } from "./state.js";

const STAYING = ["teach", "play"]; // the camera stays while the panel of these is scrolled

// `names`: of the tabs; each has a button tab-NAME and a panel NAME.
export function startTabs(names) {
  const ofAddress = () => names.find((tab) => location.hash === `#${tab}`) ?? "live";

  function byAddress() {
    if (ofAddress() !== state.tab) open(ofAddress());
  }

  // Shows a tab from its beginning: a change of the hash would scroll to it, below the camera.
  function go(tab) {
    history.pushState(null, "", `#${tab}`);
    byAddress();
    scrollTo(0, 0);
  }

  for (const tab of names) {
    const button = document.getElementById(`tab-${tab}`);
    button.addEventListener("click", () => go(tab));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = names[(names.indexOf(tab) + step + names.length) % names.length];
      go(next);
      document.getElementById(`tab-${next}`).focus();
    });
  }
  for (const change of ["hashchange", "popstate"]) window.addEventListener(change, byAddress);
  onChange("tab", () => showTab(names));
  open(ofAddress());
}

function showTab(names) {
  for (const tab of names) {
    const button = document.getElementById(`tab-${tab}`);
    button.setAttribute("aria-selected", tab === state.tab);
    button.tabIndex = tab === state.tab ? 0 : -1;
    document.getElementById(tab).hidden = tab !== state.tab;
  }
  document.body.classList.toggle("camera-stays", STAYING.includes(state.tab));
  document.getElementById("camera").hidden = !CAMERA_TABS.includes(state.tab);
}
