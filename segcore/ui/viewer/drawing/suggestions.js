// What the page proposes for strokes, a line or clicks: it is outlined over the mask until it is accepted or dropped.

const UNCHANGED = 65534; // on the way to the page and back: no stroke here, or the mask stays as it is
const ANSWER_PATIENCE = 120_000; // milliseconds; the first click on an image may wait for a large network
const LEAST_MARGIN = 48; // image pixels around strokes that are looked at, at least
const BOX_SHARE = 0.35; // of its bounding box that a way around something encloses; a drag across encloses less

class Suggestions {
  constructor(editor) {
    this.editor = editor;
    this.asks = 0;
    this.clear();
  }

  clear() {
    this.strokes = []; // { way, size, value }
    this.points = []; // [x, y, label] for the network that takes clicks
    this.drop();
  }

  // Forget the proposal and the question under way, not the strokes.
  drop() {
    this.offer = null; // { left, top, width, height, values, pixels, tool, path, picture }
    this.asked = null; // { number, tool }
    clearTimeout(this.waiting);
  }

  get busy() {
    return this.strokes.length + this.points.length > 0 || this.offer !== null || this.asked !== null;
  }

  // A gesture of a tool that asks has ended; "not" where it says what does not belong to the object.
  take(tool, way, not) {
    const { editor } = this;
    if (tool === "scribble") {
      const again = this.offer || this.asked;
      this.strokes.push({ way, size: editor.size, value: editor.chosen });
      if (again) this.ask("scribble");
    } else if (tool === "cut") {
      const around = isBox(way) ? corners(way) : way;
      this.ask("cut", around.map(([x, y]) => [x, y, 1]));
    } else {
      this.points = isDrag(way, editor.frame) ? boxPrompts(way) : [...this.points, [...way[0], this.isPart(way[0]) || not ? 0 : 1]];
      this.ask("object", this.points);
    }
    editor.refresh();
  }

  // Whether a point lies in what is proposed: a click there takes a part away.
  isPart([x, y]) {
    const { offer } = this;
    if (!offer) return false;
    const [column, row] = [Math.floor(x) - offer.left, Math.floor(y) - offer.top];
    return column >= 0 && row >= 0 && column < offer.width && row < offer.height && offer.values[row * offer.width + column] !== UNCHANGED;
  }

  // Enter: returns whether there was anything to do here.
  enter() {
    if (this.offer) this.accept();
    else if (this.strokes.length && !this.asked) this.ask("scribble");
    else return this.asked !== null;
    return true;
  }

  // Escape: the proposal first, then what it was asked with.
  escape() {
    const proposed = this.offer || this.asked;
    this.drop();
    this.points = [];
    if (!proposed) this.strokes = [];
    this.editor.refresh();
  }

  // Undo while there are strokes or clicks: the last one. Returns whether there was any.
  takeBack() {
    if (!this.busy) return false;
    const again = this.offer || this.asked;
    this.drop();
    (this.points.length ? this.points : this.strokes).pop();
    if (again && this.points.length) this.ask("object", this.points);
    else if (again && this.strokes.length) this.ask("scribble");
    return true;
  }

  async ask(tool, points = null) {
    const { editor } = this;
    this.drop();
    const number = `${Date.now()}.${++this.asks}`;
    this.asked = { number, tool };
    editor.refresh();
    const question = { number, tool, token: editor.settings.token, chosen: editor.chosen, left: 0, top: 0 };
    Object.assign(question, points ? { points } : await this.drawn());
    if (this.asked?.number !== number) return;
    this.waiting = setTimeout(() => {
      this.drop();
      editor.hint("No answer so far: ask again", 8000);
      editor.refresh();
    }, ANSWER_PATIENCE);
    editor.setTriggerValue("ask", question);
  }

  // The strokes, and the mask around them, as planes of the part that is looked at.
  async drawn() {
    const { scene, edits } = this.editor;
    const [left, top, right, bottom] = this.part();
    const [width, height] = [right - left, bottom - top];
    const strokes = new Uint16Array(width * height).fill(UNCHANGED);
    for (const { way, size, value } of this.strokes) {
      way.forEach((point, i) => strokeRows(scene.width, scene.height, way[Math.max(0, i - 1)], point, size, (row, from, to) => {
        const [a, b] = [Math.max(from, left), Math.min(to, right)];
        if (row >= top && row < bottom && b > a) strokes.fill(value, (row - top) * width + a - left, (row - top) * width + b - left);
      }));
    }
    const mask = new edits.values.constructor(width * height);
    for (let row = 0; row < height; row++) {
      const from = (top + row) * scene.width + left;
      mask.set(edits.values.subarray(from, from + width), row * width);
    }
    const [packedStrokes, packedMask] = await Promise.all([packPlane({ values: strokes, width }), packPlane({ values: mask, width })]);
    return { left, top, shape: [height, width], bytes: mask.BYTES_PER_ELEMENT, strokes: packedStrokes, mask: packedMask };
  }

  // The box around all strokes with a margin, as far as it is seen.
  part() {
    const { scene, camera } = this.editor;
    let bounds = [Infinity, Infinity, -Infinity, -Infinity];
    for (const { way, size } of this.strokes) {
      for (const [x, y] of way) bounds = union(bounds, [x - size / 2, y - size / 2, x + size / 2, y + size / 2]);
    }
    const margin = Math.max(LEAST_MARGIN, (bounds[2] - bounds[0]) / 2, (bounds[3] - bounds[1]) / 2);
    const seen = union(bounds, [...camera.toImage(0, 0), ...camera.toImage(camera.width, camera.height)]);
    const grown = [bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin];
    return [
      Math.floor(clamp(grown[0], Math.max(0, seen[0]), scene.width - 1)),
      Math.floor(clamp(grown[1], Math.max(0, seen[1]), scene.height - 1)),
      Math.ceil(clamp(grown[2], 1, Math.min(scene.width, seen[2]))),
      Math.ceil(clamp(grown[3], 1, Math.min(scene.height, seen[3]))),
    ];
  }

  // The page's answer; those to earlier questions come too late.
  async receive(answer) {
    const { asked, editor } = this;
    if (!answer || answer.number !== asked?.number) return;
    clearTimeout(this.waiting);
    if (!answer.plane) {
      this.drop();
      if (this.points.length) this.points.pop(); // what was refused is not asked again with the next click
      editor.hint(answer.text, 8000);
      return editor.refresh();
    }
    const [height, width] = answer.shape;
    const values = await unpackPlane(answer.plane, width);
    if (this.asked !== asked) return;
    this.asked = null;
    this.offer = { left: answer.left, top: answer.top, width, height, values, tool: asked.tool };
    this.show();
  }

  // Another class was chosen: an object is proposed for that one.
  choose(index) {
    const { offer } = this;
    if (!offer || offer.tool === "scribble") return;
    for (let i = 0; i < offer.values.length; i++) if (offer.values[i] !== UNCHANGED) offer.values[i] = index;
    this.show();
  }

  show() {
    const { offer, editor } = this;
    const { edits } = editor;
    offer.pixels = 0;
    this.rows((row, from, to) => {
      for (let i = row * editor.scene.width + from, end = i + to - from; i < end; i++) {
        if (edits.values[i] !== this.valueAt(i) && !edits.locked.has(edits.values[i])) offer.pixels++;
      }
    });
    offer.path = borderPath(offer, UNCHANGED);
    offer.picture = tinted(offer, editor);
    editor.refresh();
  }

  // Visit the runs of pixels that would get a class.
  rows(visit) {
    const { left, top, width, height, values } = this.offer;
    for (let row = 0; row < height; row++) {
      for (let x = 0; x < width; x++) {
        const from = x;
        while (x < width && values[row * width + x] !== UNCHANGED) x++;
        if (x > from) visit(top + row, left + from, left + x);
      }
    }
  }

  valueAt(i) {
    const { left, top, width, values } = this.offer;
    const row = Math.floor(i / this.editor.scene.width);
    return values[(row - top) * width + (i - row * this.editor.scene.width) - left];
  }

  accept() {
    const { editor, offer } = this;
    editor.edits.draw((visit) => this.rows(visit), (i) => this.valueAt(i));
    const pixels = editor.edits.commit(offer.tool);
    this.clear();
    editor.hint(`${pixels.toLocaleString("en")} pixels changed`);
    editor.refresh();
  }
}

const union = (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];

const bounds = (way) => way.reduce((box, [x, y]) => union(box, [x, y, x, y]), [Infinity, Infinity, -Infinity, -Infinity]);

// Corners of the box that a way was dragged across.
const corners = ([[x0, y0], ...way]) => {
  const [x1, y1] = way.at(-1) ?? [x0, y0];
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
};

const boxPrompts = (way) => {
  const [left, top, right, bottom] = bounds([way[0], way.at(-1)]);
  return [[left, top, 2], [right, bottom, 3]];
};

// Whether a way goes across something and not around it: it encloses little of its bounding box.
function isBox(way) {
  const [left, top, right, bottom] = bounds(way);
  const twice = way.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = way[(i + 1) % way.length];
    return sum + x * nextY - nextX * y;
  }, 0);
  return Math.abs(twice) / 2 < BOX_SHARE * (right - left) * (bottom - top);
}

// Whether a pointer moved more than a click may.
function isDrag(way, { scale, ratio }) {
  const [[x0, y0], [x1, y1]] = [way[0], way.at(-1)];
  return (Math.hypot(x1 - x0, y1 - y0) * scale) / ratio > 2 * CLICK_SLOP;
}

// A proposal in the colours of its classes, where something would change.
function tinted(offer, { scene, look }) {
  const { width, height, values } = offer;
  const canvas = new OffscreenCanvas(width, height);
  const picture = new ImageData(width, height);
  const words = new Uint32Array(picture.data.buffer);
  const colors = scene.classes.map((_, index) => packColor(classColor(scene, look, index)));
  for (let i = 0; i < values.length; i++) if (values[i] !== UNCHANGED) words[i] = colors[values[i]] ?? packColor("#808080");
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}
