// The mask being edited: its pixels, which of them may change, and every step back and forth.

class Edits {
  // "plane" is a Pyramid whose full size is edited in place.
  constructor(plane) {
    this.plane = plane;
    this.values = plane.levels[0].values;
    this.saved = this.values.slice(); // as it was opened or last saved
    this.locked = new Set(); // values that may not be painted over
    this.done = []; // steps that can be undone: { pixels, values }
    this.undone = [];
    this.savedAt = 0; // how many steps were done when it was saved; null if they cannot be reached any more
    this.touched = new Uint8Array(this.values.length);
    this.begin();
  }

  get dirty() {
    return this.savedAt !== this.done.length;
  }

  begin() {
    this.pixels = [];
    this.before = [];
  }

  // Paint columns from..to of a row: with a value, or with a function of the pixel's place. Only pixels of the
  // value "only", where one is given. Returns nothing; see take().
  paint(row, from, to, value, only = null) {
    const { values, touched } = this;
    const at = typeof value === "function" ? value : () => value;
    for (let i = row * this.plane.width + from, end = i + to - from; i < end; i++) {
      const old = values[i];
      const now = at(i);
      if (old === now || this.locked.has(old) || (only !== null && old !== only)) continue;
      if (!touched[i]) {
        touched[i] = 1;
        this.pixels.push(i);
        this.before.push(old);
      }
      values[i] = now;
    }
  }

  // Draw what rows cover, and show it: the box around them is brought up to date at every size.
  draw(rows, value, only = null) {
    const box = [Infinity, Infinity, -1, -1];
    rows((row, from, to) => {
      this.paint(row, from, to, value, only);
      box[0] = Math.min(box[0], from);
      box[1] = Math.min(box[1], row);
      box[2] = Math.max(box[2], to);
      box[3] = Math.max(box[3], row + 1);
    });
    if (box[3] > 0) this.plane.refresh(box);
  }

  // End a step; returns how many pixels it changed.
  commit() {
    const { pixels, before, touched } = this;
    for (const i of pixels) touched[i] = 0;
    const kept = [];
    for (let k = 0; k < pixels.length; k++) if (this.values[pixels[k]] !== before[k]) kept.push(k);
    this.begin();
    if (!kept.length) return 0;
    const step = { pixels: new Uint32Array(kept.length), values: new this.values.constructor(kept.length) };
    kept.forEach((k, n) => {
      step.pixels[n] = pixels[k];
      step.values[n] = before[k];
    });
    if (this.savedAt !== null && this.savedAt > this.done.length) this.savedAt = null;
    this.done.push(step);
    this.undone = [];
    return kept.length;
  }

  // Take back what was painted since begin().
  cancel() {
    this.pixels.forEach((i, k) => {
      this.values[i] = this.before[k];
      this.touched[i] = 0;
    });
    const box = this.box(this.pixels);
    this.begin();
    if (box) this.plane.refresh(box);
  }

  undo() {
    return this.swap(this.done, this.undone);
  }

  redo() {
    return this.swap(this.undone, this.done);
  }

  swap(from, to) {
    const step = from.pop();
    if (!step) return false;
    const { pixels, values } = step;
    for (let k = 0; k < pixels.length; k++) {
      const now = this.values[pixels[k]];
      this.values[pixels[k]] = values[k];
      values[k] = now;
    }
    to.push(step);
    this.plane.refresh(this.box(pixels));
    return true;
  }

  // Smallest box around pixels, or null.
  box(pixels) {
    const { width } = this.plane;
    const box = [Infinity, Infinity, -1, -1];
    for (const i of pixels) {
      const [x, y] = [i % width, Math.floor(i / width)];
      if (x < box[0]) box[0] = x;
      if (y < box[1]) box[1] = y;
      if (x >= box[2]) box[2] = x + 1;
      if (y >= box[3]) box[3] = y + 1;
    }
    return box[3] > 0 ? box : null;
  }
}

// A plane of numbers as text: rows as differences, deflated, base64.
async function packPlane({ values, width }) {
  const rows = values.slice();
  for (let i = rows.length - 1; i >= width; i--) rows[i] -= values[i - width];
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
