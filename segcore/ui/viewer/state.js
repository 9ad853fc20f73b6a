// What the user chose: where they look and how masks are shown. It outlives a change of image, a
// rerun of the page and a switch of pages, and fits into a link.

const FILLS = { fill: "Fill", outline: "Outlines", both: "Both" };
const MODES = { grid: "Grid", swipe: "Swipe", blink: "Blink" };
const PALETTES = { own: "Dataset colours", safe: "Colour-blind safe" };
const SORTS = { area: "Sort: area", iou: "Sort: IoU", name: "Sort: name" };
const MAX_ZOOM = 10_000;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function freshState() {
  return {
    view: { x: 0.5, y: 0.5, zoom: 1 }, // centre as a share of the image; zoom 1 fits the image into its panel
    opacity: 0.6,
    fill: "fill",
    errors: false,
    palette: "own",
    background: false, // whether background classes are shown
    sort: "area", // order of the legend
    colors: new Map(), // class index -> "#rrggbb" chosen by hand
    hidden: new Set(), // class indices
    solo: null, // the one class shown, or null
    mode: "grid",
    pair: [0, 1], // panels that swipe and blink compare
    paired: false, // whether the user (or a link) chose the pair
    split: 0.5, // where the swipe's divider stands, as a share of the width
  };
}

// A state as a text of [A-Za-z0-9._-]: fields joined by "_", the first letter of each names it.
function encodeState(state) {
  const short = (value, digits) => String(+value.toFixed(digits));
  const fields = [`x${short(state.view.x, 5)}`, `y${short(state.view.y, 5)}`, `z${short(state.view.zoom, 3)}`];
  fields.push(`o${Math.round(state.opacity * 100)}`);
  if (state.fill !== "fill") fields.push(`f${state.fill}`);
  if (state.errors) fields.push("e1");
  if (state.background) fields.push("b1");
  if (state.palette !== "own") fields.push(`p${state.palette}`);
  if (state.hidden.size) fields.push(`h${[...state.hidden].join(".")}`);
  if (state.solo !== null) fields.push(`s${state.solo}`);
  if (state.mode !== "grid") fields.push(`m${state.mode}`);
  if (state.paired) fields.push(`d${state.pair.join(".")}`);
  if (state.mode === "swipe") fields.push(`w${short(state.split, 3)}`);
  if (state.colors.size) fields.push(`c${[...state.colors].map(([k, hex]) => k + "-" + hex.slice(1)).join(".")}`);
  return fields.join("_");
}

// Read what encodeState wrote; a link is anybody's text, so every field is checked and a bad one left out.
function decodeState(text, state) {
  const number = (value, low, high, otherwise) => (value !== "" && isFinite(value) ? clamp(+value, low, high) : otherwise);
  const indices = (value) => value.split(".").filter((part) => /^\d{1,5}$/.test(part)).map(Number);
  const oneOf = (value, table, otherwise) => (Object.hasOwn(table, value) ? value : otherwise);
  const readers = {
    x: (value) => (state.view.x = number(value, 0, 1, state.view.x)),
    y: (value) => (state.view.y = number(value, 0, 1, state.view.y)),
    z: (value) => (state.view.zoom = number(value, 0.5, MAX_ZOOM, state.view.zoom)),
    o: (value) => (state.opacity = number(value, 0, 100, 100 * state.opacity) / 100),
    f: (value) => (state.fill = oneOf(value, FILLS, state.fill)),
    e: (value) => (state.errors = value === "1"),
    b: (value) => (state.background = value === "1"),
    p: (value) => (state.palette = oneOf(value, PALETTES, state.palette)),
    h: (value) => (state.hidden = new Set(indices(value))),
    s: (value) => (state.solo = indices(value)[0] ?? null),
    m: (value) => (state.mode = oneOf(value, MODES, state.mode)),
    d: (value) => {
      const pair = indices(value);
      if (pair.length === 2) [state.pair, state.paired] = [pair, true];
    },
    w: (value) => (state.split = number(value, 0, 1, state.split)),
    c: (value) => {
      for (const part of value.split(".")) {
        const match = /^(\d{1,5})-([0-9a-f]{6})$/.exec(part);
        if (match) state.colors.set(+match[1], "#" + match[2]);
      }
    },
  };
  for (const field of String(text).split("_")) if (Object.hasOwn(readers, field[0] ?? "")) readers[field[0]](field.slice(1));
}
