// What is laid over the image: an index plane and a look (colour, hatching and outline of each index).
// Colouring happens in tiles, when a tile is first seen; so its cost follows the screen, not the image.

const TILE = 512;
const MAX_TILES = 160; // of one layer; 1 MB each
const HATCH = { none: 0, void: 1, extra: 2, missed: 3, group: 4, high: 5 };

const ERROR_COLORS = {
  hit: "#009e73",
  wrong: "#d55e00",
  missed: "#56b4e9",
  both: "#cc79a7",
};
const VEIL = packColor("#000000", 120);
const DARK = packColor("#000000", 190);
// viridis (Smith and van der Walt, 2015): even steps of lightness, safe for colour-blind eyes
const HEAT = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const SCALAR_LEVELS = 32;

// "#rrggbb" and an alpha of 0..255 as one pixel of a canvas (little-endian RGBA).
function packColor(hex, alpha = 255) {
  const rgb = parseInt(hex.slice(1), 16);
  return ((alpha << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}

const cssColor = (word) => `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;

class Layer {
  constructor(plane) {
    this.plane = plane;
    this.tiles = new Map();
    this.version = 0;
    this.signature = "";
    this.hatches = null;
    this.hatchVersion = 0;
    this.hatchPictures = new Map(); // kind -> the hatching as it was last painted; see Painter
  }

  // Give the layer a look; tiles are recoloured (in place) only when it differs from the last one, and hatched anew only
  // where its hatching does.
  dress(signature, makeLook) {
    if (signature === this.signature) return this;
    this.signature = signature;
    this.version++;
    const { colors, hatches } = { hatches: null, ...makeLook() }; // Uint32Array, Uint8Array or null
    if (!sameNumbers(hatches, this.hatches)) this.hatchVersion++;
    Object.assign(this, { colors, hatches });
    return this;
  }

  // Put other numbers of the same size into the layer; its canvases stay.
  fill(plane) {
    this.plane = plane;
    this.version++;
    this.hatchVersion++;
    return this;
  }

  // Numbers within a box of the full size were changed: the tiles over it are coloured again when next seen.
  touch([left, top, right, bottom]) {
    this.hatchPictures.clear();
    for (const tile of this.tiles.values()) {
      const size = 2 ** tile.number;
      const margin = 1; // an outline looks at its neighbours
      const apart =
        (tile.left - margin) * size >= right ||
        (tile.top - margin) * size >= bottom ||
        (tile.left + tile.width + margin) * size <= left ||
        (tile.top + tile.height + margin) * size <= top;
      if (!apart) tile.version = tile.hatchVersion = -1;
    }
  }

  // The tile at (column, row) of a level; as outlines or filled. Owns its canvases.
  tile(number, column, row, outlined) {
    const key = `${number}/${column}/${row}/${outlined}`;
    let tile = this.tiles.get(key);
    if (tile) this.tiles.delete(key); // put back last: the oldest tile is the first of the map
    else if (this.tiles.size >= MAX_TILES) this.tiles.delete(this.tiles.keys().next().value);
    tile ??= this.emptyTile(number, column, row);
    this.tiles.set(key, tile);
    if (tile.version !== this.version) this.colour(tile, outlined);
    return tile;
  }

  emptyTile(number, column, row) {
    const { width, height } = this.plane.level(number);
    const tile = { number, left: column * TILE, top: row * TILE, hatched: [], spare: new Map(), version: -1, hatchVersion: -1 };
    tile.width = Math.min(TILE, width - tile.left);
    tile.height = Math.min(TILE, height - tile.top);
    tile.canvas = new OffscreenCanvas(tile.width, tile.height);
    return tile;
  }

  colour(tile, outlined) {
    const level = this.plane.level(tile.number);
    tile.version = this.version;
    if (outlined) fillOutlines(level, tile, this.colors);
    else fillColors(level, tile, this.colors);
    flush(tile.canvas, tile);
    if (outlined || tile.hatchVersion === this.hatchVersion) return;
    tile.hatchVersion = this.hatchVersion;
    tile.hatched = [];
    for (const [kind, box] of this.hatches ? findHatched(level, tile, this.hatches) : []) {
      const spare = tile.spare.get(kind);
      const canvas = spare ?? new OffscreenCanvas(tile.width, tile.height);
      if (spare) canvas.getContext("2d").clearRect(0, 0, tile.width, tile.height);
      else tile.spare.set(kind, canvas);
      fillHatched(level, tile, this.hatches, kind, box);
      canvas.getContext("2d").putImageData(BUFFER, 0, 0, box[0], box[1], box[2] - box[0], box[3] - box[1]);
      tile.hatched.push({ kind, canvas, box });
    }
  }
}

function sameNumbers(one, other) {
  if (!one || !other) return !one === !other;
  return one.length === other.length && one.every((value, i) => value === other[i]);
}

// One buffer for all colouring; rows are TILE apart whatever the tile's width.
const BUFFER = new ImageData(TILE, TILE);
const WORDS = new Uint32Array(BUFFER.data.buffer);

function flush(canvas, { width, height }) {
  canvas.getContext("2d").putImageData(BUFFER, 0, 0, 0, 0, width, height);
}

function fillColors({ values, width }, tile, colors) {
  for (let y = 0; y < tile.height; y++) {
    let from = (tile.top + y) * width + tile.left;
    let to = y * TILE;
    for (const end = to + tile.width; to < end; ) WORDS[to++] = colors[values[from++]];
  }
}

// Pixels that touch another index, in their own colour: a line on both sides of every border.
function fillOutlines({ values, width, height }, tile, colors) {
  for (let y = 0; y < tile.height; y++) {
    const row = tile.top + y;
    const up = row ? -width : 0;
    const down = row + 1 < height ? width : 0;
    for (let x = 0; x < tile.width; x++) {
      const column = tile.left + x;
      const i = row * width + column;
      const value = values[i];
      const inside =
        values[i + up] === value &&
        values[i + down] === value &&
        values[column ? i - 1 : i] === value &&
        values[column + 1 < width ? i + 1 : i] === value;
      WORDS[y * TILE + x] = inside ? 0 : colors[value];
    }
  }
}

// The kinds of hatching in a tile, each with the box [left, top, right, bottom] of its pixels.
function findHatched({ values, width }, tile, hatches) {
  const boxes = new Map();
  for (let y = 0; y < tile.height; y++) {
    const from = (tile.top + y) * width + tile.left;
    for (let x = 0; x < tile.width; x++) {
      const kind = hatches[values[from + x]];
      if (kind === HATCH.none) continue;
      const box = boxes.get(kind);
      if (!box) {
        boxes.set(kind, [x, y, x + 1, y + 1]);
        continue;
      }
      if (x < box[0]) box[0] = x;
      if (x >= box[2]) box[2] = x + 1;
      box[3] = y + 1;
    }
  }
  return boxes;
}

// Put the pixels of one kind within a box into the buffer.
function fillHatched({ values, width }, tile, hatches, kind, [left, top, right, bottom]) {
  for (let y = top; y < bottom; y++) {
    const from = (tile.top + y) * width + tile.left;
    for (let x = left, to = y * TILE + left; x < right; x++, to++) WORDS[to] = hatches[values[from + x]] === kind ? 0xff000000 : 0;
  }
}

// Which layer lies over a panel in a state; "spot" is the class that is being looked for, or null.
class Wardrobe {
  constructor(scene) {
    this.scene = scene;
    this.layers = new Map();
  }

  layer(name, makePlane) {
    if (!this.layers.has(name)) this.layers.set(name, new Layer(makePlane()));
    return this.layers.get(name);
  }

  // Returns { layer, judged, plain } or null for the bare image; see LOOKS.
  choose(panel, state, spot) {
    if (spot !== null && panel.mask) return { layer: this.spotlight(panel, state, spot), plain: true };
    return LOOKS[kindOf(panel).look](this, panel, state);
  }

  heat(panel) {
    const ramp = () => {
      const colors = new Uint32Array(256);
      for (let i = 0; i < SCALAR_LEVELS; i++) colors[i] = packColor(heatColor(i / (SCALAR_LEVELS - 1)));
      return { colors };
    };
    return this.layer(`heat ${panel.index}`, () => panel.scalar).dress("heat", ramp);
  }

  classes(panel, state) {
    const look = () => ({ colors: this.classColors(state), hatches: this.voidHatch(state) });
    return this.layer(`classes ${panel.index}`, () => panel.mask).dress(this.signature(state), look);
  }

  // Classes as they are, groups of them hatched: one way on the first level, both ways above.
  levels(panel, state) {
    const look = () => {
      const hatches = this.voidHatch(state);
      this.scene.levels.forEach((level, k) => {
        if (level && isShown(this.scene, state, k)) hatches[k] = level > 1 ? HATCH.high : HATCH.group;
      });
      return { colors: this.classColors(state), hatches };
    };
    return this.layer(`levels ${panel.index}`, () => panel.mask).dress(this.signature(state), look);
  }

  spotlight(panel, state, spot) {
    const look = () => {
      const colors = this.table().fill(DARK);
      colors[spot] = packColor(classColor(this.scene, state, spot), Math.round(255 * Math.max(0.35, state.opacity)));
      return { colors };
    };
    return this.layer(`classes ${panel.index}`, () => panel.mask).dress(`spot ${spot} ${state.opacity} ${this.signature(state)}`, look);
  }

  // Correct and wrong. Of one class: hits, false positives and misses; of two masks: what the second fixes and breaks.
  judged(panel, state, verdicts) {
    const { scene } = this;
    const changes = verdicts === "difference";
    const flavour = changes || state.solo === null ? verdicts : "solo";
    const name = `${flavour} ${panel.index}`;
    const codes = { solo: soloCodes, mask: wrongOnly, error: rightOrWrong, difference: fixedOrBroken };
    const judge = () => codes[flavour](scene, panel, state.solo);
    const known = this.layers.get(name);
    const layer = this.layer(name, judge);
    if (known && layer.solo !== state.solo && (flavour === "solo" || changes)) layer.fill(judge());
    layer.solo = state.solo;
    const look = () => (flavour === "mask" ? this.wrongLook(state) : codeLook());
    return layer.dress(flavour === "mask" ? this.signature(state) : "codes", look);
  }

  wrongLook(state) {
    const classes = this.classColors(state);
    const colors = new Uint32Array(65536);
    colors.set(classes.subarray(0, this.scene.classes.length));
    colors[RIGHT] = VEIL;
    const hatches = new Uint8Array(65536);
    hatches[VOID] = HATCH.void;
    return { colors, hatches };
  }

  signature(state) {
    return JSON.stringify([state.palette, [...state.colors], [...state.hidden], state.solo, state.background]);
  }

  table() {
    return new Uint32Array(this.scene.ignore + 1);
  }

  classColors(state) {
    const colors = this.table();
    this.scene.classes.forEach((_, k) => {
      if (isShown(this.scene, state, k)) colors[k] = packColor(classColor(this.scene, state, k));
    });
    return colors;
  }

  voidHatch(state) {
    const hatches = new Uint8Array(this.scene.ignore + 1);
    if (state.solo === null) hatches[this.scene.ignore] = HATCH.void;
    return hatches;
  }
}

const isShown = (scene, state, index) => {
  if (state.solo !== null) return state.solo === index;
  return !state.hidden.has(index) && (state.background || !scene.background.includes(index));
};
const classColor = (scene, state, index) => state.colors.get(index) ?? scene.palettes[state.palette][index];

function heatColor(share) {
  const place = clamp(share, 0, 1) * (HEAT.length - 1);
  const low = Math.min(Math.floor(place), HEAT.length - 2);
  const mix = [1, 3, 5].map((at) => {
    const [a, b] = [HEAT[low], HEAT[low + 1]].map((hex) => parseInt(hex.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * (place - low)).toString(16).padStart(2, "0");
  });
  return "#" + mix.join("");
}
