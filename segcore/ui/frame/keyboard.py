"""Keys of every page, and what a script must add to Streamlit's frame: history and roles.

``?`` lists the keys; ``g`` and a letter go to a page; ``/`` goes to the first field to search in.
"""

import streamlit as st

PAGES = {
    "s": "Start",
    "d": "Dataset",
    "b": "Balance",
    "t": "Train",
    "u": "Tune",
    "a": "Ablation",
    "r": "Runs",
    "c": "Compare",
    "p": "Predict",
    "e": "Evaluate",
    "n": "Ensemble",
    "m": "Compress",
    "h": "Guide",
}
"""The letter that goes to a page, after ``g``."""

KEYS = (
    ("?", "This list"),
    ("/", "Go to the search or first text field"),
    ("Tab, Shift+Tab", "Next and previous control"),
    ("Enter, Space", "Press a button, open a list"),
    ("Ctrl+Enter", "On Train: start the training"),
    ("Esc", "Close a dialog or a list"),
)
VIEWER = (
    ("?", "In a viewer: its own list"),
    ("n, p", "Next and previous image"),
    ("+, -, 0", "Zoom in, out, whole image"),
    ("f", "Full screen"),
)

_SCRIPT = """
const typing = (event) => {
  const at = event.composedPath()[0];
  return at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
};

function oneEntryPerPage() {
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const next = new URL(url, location.href);
    if (next.pathname === location.pathname) history.replaceState(state, title, url);
    else push(state, title, url);
  };
}

// Streamlit puts sections between a list and its items, which is no list to a screen reader.
function namesLists() {
  for (const list of document.querySelectorAll("[data-testid=stSidebarNavItems]")) {
    list.setAttribute("role", "none");
    for (const child of list.children) child.setAttribute("role", child.tagName === "LI" ? "none" : "list");
  }
}

function element(name, text = "", parent = null) {
  const made = document.createElement(name);
  made.textContent = text;
  parent?.append(made);
  return made;
}

function dialogOf(data) {
  const app = getComputedStyle(document.querySelector(".stApp"));
  const dialog = element("dialog");
  dialog.className = "segscope-keys";
  dialog.setAttribute("aria-label", "Keyboard");
  Object.assign(dialog.style, { background: app.backgroundColor, color: app.color, fontFamily: app.fontFamily });
  element("h2", "Keyboard", dialog);
  const columns = element("div", "", dialog);
  for (const [title, rows] of Object.entries(data.keys)) {
    const section = element("section", "", columns);
    element("h3", title, section);
    const list = element("dl", "", section);
    for (const [key, words] of rows) {
      element("dt", key, list);
      element("dd", words, list);
    }
  }
  const close = element("button", "Close", dialog);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  return dialog;
}

function toggle(data) {
  const open = document.querySelector("dialog.segscope-keys");
  if (open) open.close();
  else dialogOf(data).showModal();
}

function goTo(title) {
  const links = [...document.querySelectorAll("[data-testid=stSidebarNavLink]")];
  links.find((link) => link.textContent.trim().endsWith(title))?.click();
}

function search() {
  const fields = [...document.querySelectorAll("[data-testid=stMain] input[type=text], [data-testid=stMain] input:not([type])")];
  const shown = fields.filter((field) => field.offsetParent !== null && !field.disabled);
  (shown.find((field) => /search/i.test(`${field.placeholder} ${field.ariaLabel}`)) ?? shown[0])?.focus();
}

export default ({ data }) => {
  if (window.__segscopeFrame) return;
  window.__segscopeFrame = true;
  oneEntryPerPage();
  namesLists();
  const sidebar = document.querySelector("[data-testid=stSidebar]");
  if (sidebar) new MutationObserver(namesLists).observe(sidebar, { childList: true, subtree: true });
  let asked = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
    if (Date.now() - asked < 1500 && data.pages[event.key]) goTo(data.pages[event.key]);
    else if (event.key === "?") toggle(data);
    else if (event.key === "/") search();
    else if (event.key !== "g") return;
    asked = event.key === "g" && Date.now() - asked >= 1500 ? Date.now() : 0;
    event.preventDefault();
  });
};
"""
_frame = st.components.v2.component("segscope_frame", html='<i class="no-space"></i>', js=_SCRIPT)

STYLE = """<style>
dialog.segscope-keys { border: 1px solid #8885; border-radius: .5rem; padding: 1rem 1.5rem; max-width: min(56rem, 92vw); }
dialog.segscope-keys::backdrop { background: #0007; }
dialog.segscope-keys h2 { font-size: 1.1rem; margin: 0; padding: 0; }
dialog.segscope-keys h3 { font-size: .9rem; margin: .8rem 0 .3rem; padding: 0; }
dialog.segscope-keys > div { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
dialog.segscope-keys dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem; margin: 0; font-size: .875rem; }
dialog.segscope-keys dt { font-family: monospace; font-weight: 700; }
dialog.segscope-keys dd { margin: 0; }
dialog.segscope-keys button {
  margin-top: 1rem; padding: .3rem .8rem; border: 1px solid #8888; border-radius: .5rem; background: none; color: inherit;
}
</style>"""


def listen() -> None:
    """Let every page answer to its keys, keep one entry of the browser's history per page."""
    lists = {
        "Everywhere": KEYS,
        "Go to a page: g, then": tuple(PAGES.items()),
        "Viewer": VIEWER,
    }
    _frame(key="frame", data={"keys": lists, "pages": PAGES})
