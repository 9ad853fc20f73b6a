// The mask being edited: its pixels, which of them may change, and every step back and forth.

class Edits {
  // "plane" is a Pyramid whose full size is edited in place.
  constructor(plane, locked = new Set()) {
    this.plane = plane;
    this.values = plane.levels[0].values;
    this.saved = this.values.slice(); // as it was opened or last saved
    this.locked = locked; // values that may not be painted over
    this.done = []; // steps that can be undone: { pixels, values, by }
    this.undone = [];
    this.savedAt = undefined; // the last step done when it was saved; a count would be the same after undoing and drawing anew
    this.touched = new Uint8Array(this.values.length);
    this.begin();
  }

  get dirty() {
    return this.savedAt !== this.done.at(-1);
  }

  // The tools that proposed what was accepted since the last save.
  get proposedBy() {
    const steps = this.done.slice(this.done.indexOf(this.savedAt) + 1);
    return [...new Set(steps.map(({ by }) => by).filter(Boolean))];
  }

  // What was drawn is kept elsewhere.
  discard() {
    this.savedAt = this.done.at(-1);
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

  // End a step; returns how many pixels it changed. "by" is the tool that proposed it.
  commit(by = null) {
    const { pixels, before, touched } = this;
    for (const i of pixels) touched[i] = 0;
    const kept = [];
    for (let k = 0; k < pixels.length; k++) if (this.values[pixels[k]] !== before[k]) kept.push(k);
    this.begin();
    if (!kept.length) return 0;
    const step = { by, pixels: new Uint32Array(kept.length), values: new this.values.constructor(kept.length) };
    kept.forEach((k, n) => {
      step.pixels[n] = pixels[k];
      step.values[n] = before[k];
    });
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

  // Draw what was drawn in other edits of the same image since they were saved, with "table" from a class then to one
  // of today; a class that is gone is not drawn. Returns how many pixels it changed.
  drawAgain({ values, saved }, table) {
    const { width, height } = this.plane;
    this.draw((visit) => {
      for (let row = 0; row < height; row++) {
        for (let x = 0; x < width; x++) {
          const from = x;
          while (x < width && values[row * width + x] !== saved[row * width + x]) x++;
          if (x > from) visit(row, from, x);
        }
      }
    }, (i) => table.get(values[i]) ?? this.values[i]);
    return this.commit();
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

// The opposite of packPlane, for two bytes a pixel.
async function unpackPlane(text, width) {
  const values = new Uint16Array(await inflate(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))));
  for (let i = width; i < values.length; i++) values[i] += values[i - width];
  return values;
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
