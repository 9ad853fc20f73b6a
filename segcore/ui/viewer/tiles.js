// Parts of a scene that is larger than what the browser holds. Each tile is a small scene of its own, painted over the
// overview; those in view are asked for, those of the ring around it next, and the least recently seen are let go.

const MOSAICS = new Map(); // key of a viewer -> Mosaic
const MAX_PARTS = 100; // some 2 MB each: image and coloured masks
const ASK_TILES_AFTER = 40; // milliseconds that the view must rest, or nearly
const ANSWER_LOST = 2500; // milliseconds after which tiles are asked for again: a rerun of the page may swallow a request
const TILES_AT_ONCE = 12;

// A ring around a rare class belongs to the whole scene, not to each tile that holds some of it.
class PartPainter extends Painter {
  paintRing() {}
}

class Mosaic {
  static of(key) {
    if (!MOSAICS.has(key)) MOSAICS.set(key, new Mosaic());
    return MOSAICS.get(key);
  }

  constructor() {
    this.parts = new Map(); // "level/row/column" -> { scene, painter }; least recently seen first
    this.asked = new Map(); // the same -> when
    this.failed = new Set(); // those that cannot be had
    this.request = null; // how tiles are asked for
    this.viewer = null;
  }

  // Take the measures of a scene: { source, full, side, levels }.
  open(measures) {
    if (measures.source !== this.measures?.source) {
      this.parts.clear();
      this.asked.clear();
      this.failed.clear();
    }
    this.measures = measures;
  }

  part(level, row, column) {
    return this.parts.get(`${level}/${row}/${column}`);
  }

  lacks(place) {
    const name = place.join("/");
    return !this.parts.has(name) && !this.failed.has(name);
  }

  // Tiles of a level that a frame shows, and "ring" more on every side: [[level, row, column], ...].
  places(level, view, ring = 0) {
    const { full, side } = this.measures;
    const size = side * 2 ** level;
    const span = (from, to, length) => [Math.max(0, Math.floor(from / size) - ring), Math.min(Math.ceil(length / size), Math.ceil(to / size) + ring)];
    const [left, right] = span(view.left, view.right, full[0]);
    const [top, bottom] = span(view.top, view.bottom, full[1]);
    const found = [];
    for (let row = top; row < bottom; row++) for (let column = left; column < right; column++) found.push([level, row, column]);
    return found;
  }

  // Paint the tiles in view over what is there; "scale" is device pixels a pixel of the whole scene.
  paint(context, frame, overview, index, state, spot) {
    const { full, levels } = this.measures;
    const scale = (frame.scale * overview.width) / full[0];
    const level = Math.max(0, Math.floor(Math.log2(1 / scale)));
    if (level >= levels) return;
    const { width, height } = context.canvas;
    const view = { left: -frame.left / scale, top: -frame.top / scale, right: (width - frame.left) / scale, bottom: (height - frame.top) / scale };
    const shown = this.places(level, view);
    const missing = shown.filter((place) => this.lacks(place));
    for (let coarse = levels - 1; missing.length && coarse > level; coarse--) this.paintAll(context, frame, scale, this.places(coarse, view), index, state, spot);
    this.paintAll(context, frame, scale, shown, index, state, spot);
    const around = this.places(level, view, 1);
    this.most = Math.max(MAX_PARTS, 2 * around.length); // or a large screen's tiles would push each other out for ever
    this.want(missing.length ? missing : around.filter((place) => this.lacks(place)));
  }

  paintAll(context, frame, scale, places, index, state, spot) {
    for (const [level, row, column] of places) {
      const name = `${level}/${row}/${column}`;
      const part = this.parts.get(name);
      if (!part) continue;
      this.parts.delete(name);
      this.parts.set(name, part); // put back last
      const size = this.measures.side * 2 ** level;
      const grow = 2 ** level * scale; // device pixels a pixel of the tile
      const left = Math.round(frame.left + column * size * scale);
      const top = Math.round(frame.top + row * size * scale);
      const right = Math.round(frame.left + (column * size + part.scene.width * 2 ** level) * scale);
      const bottom = Math.round(frame.top + (row * size + part.scene.height * 2 ** level) * scale);
      context.save();
      context.beginPath();
      context.rect(left, top, right - left, bottom - top);
      context.clip();
      const whole = Math.max((right - left) / part.scene.width, (bottom - top) / part.scene.height, grow); // no seam
      part.painter.paint(context, { scale: whole, left, top, ratio: frame.ratio }, part.scene.panels[index], state, spot);
      context.restore();
    }
  }

  // The finest tile at a pixel of the whole scene, with the pixel in it: [scene, x, y], or null.
  at(x, y) {
    const { side, levels } = this.measures;
    for (let level = 0; level < levels; level++) {
      const size = side * 2 ** level;
      const [row, column] = [Math.floor(y / size), Math.floor(x / size)];
      const part = this.part(level, row, column);
      if (part) return [part.scene, (x - column * size) / 2 ** level, (y - row * size) / 2 ** level];
    }
    return null;
  }

  want(places) {
    this.wanted = places;
    this.asking ??= setTimeout(() => {
      this.asking = null;
      const now = performance.now();
      const open = ([name, when]) => !this.parts.has(name) && now - when < ANSWER_LOST;
      if ([...this.asked].some(open)) return; // one request at a time; its answer brings the next
      const batch = this.wanted.slice(0, TILES_AT_ONCE);
      if (!batch.length || !this.request) return;
      this.asked = new Map(batch.map((place) => [place.join("/"), now]));
      this.request(batch);
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.viewer?.repaint(), ANSWER_LOST); // and asks again where nothing came
    }, ASK_TILES_AFTER);
  }

  async receive(source, places, blobs, failed) {
    if (source !== this.measures?.source) return;
    const scenes = await Promise.all(blobs.map((blob) => Scene.unpack(blob)));
    if (source !== this.measures.source) return;
    scenes.forEach((scene, i) => this.parts.set(places[i].join("/"), { scene, painter: new PartPainter(scene) }));
    for (const place of failed) this.failed.add(place.join("/"));
    this.asked.clear();
    while (this.parts.size > (this.most ?? MAX_PARTS)) this.parts.delete(this.parts.keys().next().value);
    this.viewer?.repaint();
  }
}
