// The tabs of the page: by click, arrow key and address.

import { CAMERA_TABS, onChange, open, state } from "./state.js";

// `names`: of the tabs; each has a button tab-NAME and a panel NAME.
export function startTabs(names) {
  for (const tab of names) {
    const button = document.getElementById(`tab-${tab}`);
    button.addEventListener("click", () => (location.hash = tab));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = names[(names.indexOf(tab) + step + names.length) % names.length];
      location.hash = next;
      document.getElementById(`tab-${next}`).focus();
    });
  }
  const byAddress = () => open(names.find((tab) => location.hash === `#${tab}`) ?? "live");
  window.addEventListener("hashchange", byAddress);
  onChange("tab", () => showTab(names));
  byAddress();
}

function showTab(names) {
  for (const tab of names) {
    const button = document.getElementById(`tab-${tab}`);
    button.setAttribute("aria-selected", tab === state.tab);
    button.tabIndex = tab === state.tab ? 0 : -1;
    document.getElementById(tab).hidden = tab !== state.tab;
  }
  document.body.classList.toggle("teaching", state.tab === "teach");
  document.getElementById("camera").hidden = !CAMERA_TABS.includes(state.tab);
}
