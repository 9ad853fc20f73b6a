// The bar above the pictures. Its buttons call the viewer; sync() makes them show the viewer's state.

// 16 x 16 outlines; drawn in the text colour.
const ICONS = {
  previous: "M10 3 5 8l5 5",
  next: "M6 3l5 5-5 5",
  minus: "M3 8h10",
  plus: "M3 8h10M8 3v10",
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4M5.5 5.5h5v5h-5z",
  pixels: "M3.5 5 5 4v8M11 5l1.5-1v8M8 6.2v.1M8 9.8v.1",
  full: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  save: "M8 2v8M4.5 6.5 8 10l3.5-3.5M2.5 11v2.5h11V11",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a2.5 2.5 0 0 1 4 3.5L11 8M9 11.5 7.5 13a2.5 2.5 0 0 1-4-3.5L5 8",
};

// An element with attributes and children; a string child becomes text, never markup.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const iconButton = (name, label, onclick) => el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, icon(name));

// As figures.py writes fractions: one decimal, and what is tiny is not nothing.
const percent = (fraction) => {
  if (fraction > 0 && fraction < 1e-4) return "< 0.01 %";
  if (fraction > 0 && fraction < 1e-3) return `${(100 * fraction).toFixed(2)} %`;
  if (fraction >= 0.9995 && fraction < 1) return "> 99.9 %";
  return `${(100 * fraction).toFixed(1)} %`;
};

class Toolbar {
  constructor(viewer) {
    this.viewer = viewer;
    this.pressed = []; // [button, whether it is on]
    this.node = el("div", { class: "toolbar", role: "toolbar", "aria-label": "View" });
    this.build();
  }

  build() {
    const { viewer } = this;
    this.opacity = el("input", {
      type: "range",
      min: 0,
      max: 100,
      "aria-label": "Overlay opacity",
      title: "Overlay opacity ([ and ])",
      oninput: () => viewer.change({ opacity: this.opacity.value / 100 }),
    });
    this.opacityText = el("output", {});
    this.errors = this.toggle("Errors only", "Dim correct pixels (e)", () => viewer.change({ errors: !viewer.state.errors }), () => viewer.state.errors);
    this.zoom = el("output", { class: "zoom", "aria-label": "Zoom" });
    this.steps = el("span", { class: "group joined" },
      iconButton("previous", "Previous image (p)", () => viewer.step(-1)),
      iconButton("next", "Next image (n)", () => viewer.step(1)));
    this.overlay = el("span", { class: "group overlay" }, el("label", { class: "group" }, this.opacity, this.opacityText), this.errors);
    this.modes = this.choices("Layout", MODES, (mode) => viewer.setMode(mode), () => viewer.state.mode);
    this.middle = el("span", { class: "middle" });
    const zoom = el("span", { class: "group joined" },
      iconButton("minus", "Zoom out (-)", () => viewer.zoomBy(1 / 1.5)),
      this.zoom,
      iconButton("plus", "Zoom in (+)", () => viewer.zoomBy(1.5)),
      iconButton("fit", "Fit the image (0)", () => viewer.fit()),
      iconButton("pixels", "100 % (1)", () => viewer.zoomToPixels()));
    const out = el("span", { class: "group joined" },
      iconButton("full", "Full screen (f)", () => viewer.toggleFullScreen()),
      iconButton("save", "Save PNG", () => savePicture(viewer)),
      iconButton("link", "Copy link", () => viewer.copyLink()));
    this.node.append(this.steps, this.overlay, this.modes, this.middle, zoom, out, this.display());
  }

  // Where the status line of the viewer stands.
  place(status) {
    this.middle.replaceChildren(status);
  }

  toggle(text, title, onclick, isOn) {
    const button = el("button", { type: "button", title, onclick }, text);
    this.pressed.push([button, isOn]);
    return button;
  }

  // Buttons in a row, of which one is on.
  choices(label, table, choose, chosen) {
    const row = el("span", { class: "group joined", role: "group", "aria-label": label });
    for (const [name, title] of Object.entries(table)) {
      row.append(this.toggle(title, `${label}: ${title.toLowerCase()}`, () => choose(name), () => chosen() === name));
    }
    return row;
  }

  // The menu of what is set less often, and of the keys.
  display() {
    const { viewer } = this;
    this.palette = el("select", { "aria-label": "Palette", onchange: () => viewer.change({ palette: this.palette.value }) });
    for (const [name, title] of Object.entries(PALETTES)) this.palette.append(el("option", { value: name }, title));
    this.fill = this.choices("Overlay style", FILLS, (fill) => viewer.change({ fill }), () => viewer.state.fill);
    this.background = this.toggle("Background", "Show background classes", () => viewer.change({ background: !viewer.state.background }),
      () => viewer.state.background);
    const keys = el("dl", {});
    for (const [names, meaning] of KEY_HELP) keys.append(el("dt", {}, names), el("dd", {}, meaning));
    this.settings = [el("div", { class: "row" }, "Overlay", this.fill), el("div", { class: "row" }, "Palette", this.palette)];
    this.backgroundRow = el("div", { class: "row" }, "Classes", this.background);
    this.menu = el("div", { class: "menu", role: "dialog", "aria-label": "Display", hidden: true }, ...this.settings, this.backgroundRow, keys);
    this.menuButton = el("button", { type: "button", "aria-expanded": "false", title: "Overlay, palette, keys (?)", onclick: () => this.toggleMenu() }, "Display");
    const anchor = el("span", { class: "anchor" }, this.menuButton, this.menu);
    anchor.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !anchor.contains(event.relatedTarget)) this.toggleMenu(false);
    });
    anchor.addEventListener("keydown", (event) => event.key === "Escape" && this.toggleMenu(false));
    return anchor;
  }

  toggleMenu(open = this.menu.hidden) {
    this.menu.hidden = !open;
    this.menuButton.setAttribute("aria-expanded", String(open));
  }

  // What a new scene or new settings change: which controls there are.
  offer(scene, settings) {
    this.steps.hidden = !settings.listen.includes("step") && settings.context === undefined;
    this.overlay.hidden = scene.shown.every(isBare);
    for (const row of this.settings) row.hidden = this.overlay.hidden;
    this.backgroundRow.hidden = !scene.background.length;
    this.errors.hidden = !scene.shown.some((panel) => isPlainMask(panel) && scene.comparable(panel));
    this.modes.hidden = scene.shown.length < 2;
  }

  sync() {
    const { state } = this.viewer;
    this.opacity.value = Math.round(100 * state.opacity);
    this.opacityText.textContent = `${Math.round(100 * state.opacity)} %`;
    this.palette.value = state.palette;
    for (const [button, isOn] of this.pressed) button.setAttribute("aria-pressed", String(isOn()));
  }

  showZoom(scale) {
    this.zoom.textContent = `${scale >= 0.995 ? Math.round(100 * scale) : +(100 * scale).toFixed(1)} %`;
  }
}
