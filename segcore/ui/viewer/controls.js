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
  keys: "M1.5 4h13v8h-13zM4 6.5v.1M6.7 6.5v.1M9.3 6.5v.1M12 6.5v.1M5 9.5h6",
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

const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`);

class Toolbar {
  constructor(viewer) {
    this.viewer = viewer;
    this.pressed = []; // [button, whether it is on]
    this.node = el("div", { class: "toolbar", role: "toolbar", "aria-label": "How the pictures are shown" });
    this.build();
  }

  build() {
    const { viewer } = this;
    this.opacity = el("input", {
      type: "range",
      min: 0,
      max: 100,
      "aria-label": "Overlay opacity",
      oninput: () => viewer.change({ opacity: this.opacity.value / 100 }),
    });
    this.opacityText = el("output", {});
    this.errors = this.toggle("Errors", "Dim what is right", () => viewer.change({ errors: !viewer.state.errors }), () => viewer.state.errors);
    this.palette = el("select", { "aria-label": "Palette", title: "Palette", onchange: () => viewer.change({ palette: this.palette.value }) });
    for (const [name, title] of Object.entries(PALETTES)) this.palette.append(el("option", { value: name }, title));
    this.zoom = el("output", { class: "zoom", "aria-label": "Zoom" });
    this.steps = el("span", { class: "group joined" },
      iconButton("previous", "Previous image (p)", () => viewer.step(-1)),
      iconButton("next", "Next image (n)", () => viewer.step(1)));
    this.overlay = el("span", { class: "group overlay" },
      el("label", { class: "group" }, el("span", { class: "word" }, "Overlay"), this.opacity, this.opacityText),
      this.choices("Overlay style", FILLS, (fill) => viewer.change({ fill }), () => viewer.state.fill),
      this.errors,
      this.palette);
    this.modes = this.choices("Layout", MODES, (mode) => viewer.setMode(mode), () => viewer.state.mode);
    const zoom = el("span", { class: "group joined" },
      iconButton("minus", "Zoom out (-)", () => viewer.zoomBy(1 / 1.5)),
      this.zoom,
      iconButton("plus", "Zoom in (+)", () => viewer.zoomBy(1.5)),
      iconButton("fit", "Fit the image (0)", () => viewer.fit()),
      iconButton("pixels", "One image pixel a screen pixel (1)", () => viewer.zoomToPixels()));
    const out = el("span", { class: "group joined" },
      iconButton("full", "Full screen (f)", () => viewer.toggleFullScreen()),
      iconButton("save", "Save PNG", () => savePicture(viewer)),
      iconButton("link", "Copy link", () => viewer.copyLink()),
      this.keysButton());
    this.node.append(this.steps, this.overlay, el("span", { class: "group tail" }, this.modes, el("span", { class: "space" }), zoom, out));
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

  keysButton() {
    const list = el("dl", {});
    for (const [keys, meaning] of KEY_HELP) list.append(el("dt", {}, keys), el("dd", {}, meaning));
    const help = el("div", { class: "keys", role: "dialog", "aria-label": "Keys", hidden: true }, list);
    const button = iconButton("keys", "Keys", () => {
      help.hidden = !help.hidden;
      button.setAttribute("aria-expanded", String(!help.hidden));
    });
    button.setAttribute("aria-expanded", "false");
    const wrap = el("span", { class: "anchor" }, button, help);
    wrap.addEventListener("focusout", (event) => {
      if (wrap.contains(event.relatedTarget)) return;
      help.hidden = true;
      button.setAttribute("aria-expanded", "false");
    });
    return wrap;
  }

  // What a new scene or new settings change: which controls there are.
  offer(scene, settings) {
    this.steps.hidden = !settings.listen.includes("step") && settings.context === undefined;
    this.overlay.hidden = !scene.shown.some((panel) => panel.kind !== "image");
    this.errors.hidden = !scene.shown.some((panel) => panel.kind === "mask" && scene.comparable(panel));
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
