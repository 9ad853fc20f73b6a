// The tools of the editor. A tool may have down(point), move(from, to), up() and key(event); points are image pixels.

const TOOLS = {
  brush: { key: "b", title: "Brush", help: "Paint the chosen class" },
  erase: { key: "e", title: "Eraser", help: "Bring back the mask as it was opened or last saved" },
  replace: { key: "r", title: "Replace", help: "Paint only over the class under the first point" },
  polygon: { key: "g", title: "Polygon", help: "Click corners; Enter or a double click closes, Esc cancels" },
  lasso: { key: "l", title: "Lasso", help: "Draw around pixels to paint them" },
  fill: { key: "f", title: "Fill", help: "Paint a connected region" },
  accept: { key: "a", title: "Accept", help: "Take over a connected region of the proposal, or draw around pixels to take them over" },
  scribble: { key: "s", title: "Scribble", help: "Draw a few strokes of each class; Enter spreads them over the pixels that look alike", asks: true },
  cut: { key: "c", title: "Cut out", help: "Drag a box over an object, or draw around it: it is cut out by its colours", asks: true },
  object: { key: "m", title: "Object", help: "Click an object, or drag a box over it; Shift + click, or a click in the proposal, takes a part away", asks: true },
  pick: { key: "i", title: "Pick", help: "Choose the class under the pointer (Alt + click with any tool)" },
};

const BRUSHES = ["brush", "erase", "replace"];
const CLICKS = ["polygon", "fill", "pick"]; // what they do is done when the pointer goes down
const SIZED = [...BRUSHES, "scribble"];
const SMALLEST = 1;
const LARGEST = 512;

// What the tools do; "editor" gives edits, scene, the chosen class and the proposal.
class Strokes {
  constructor(editor) {
    this.editor = editor;
    this.way = null; // points since the pointer went down, or the corners of a polygon
    this.only = null;
    this.not = false; // whether the gesture says what does not belong to an object
  }

  get busy() {
    return this.way !== null;
  }

  get tool() {
    return this.editor.tool;
  }

  down(point, not = false) {
    const { editor } = this;
    this.not = not;
    if (this.tool === "pick") return editor.choose(editor.valueAt(point));
    if (this.tool === "fill") return this.region(editor.edits.plane.levels[0], point, editor.chosen);
    if (this.tool === "polygon") return this.corner(point);
    this.way = [point];
    if (BRUSHES.includes(this.tool)) {
      this.only = this.tool === "replace" ? editor.valueAt(point) : null;
      if (this.tool === "replace" && this.only === null) this.way = null;
      else this.leg(point, point);
    }
    return null;
  }

  move(point) {
    if (!this.way) return;
    const last = this.way.at(-1);
    if (this.tool === "polygon") return;
    this.way.push(point);
    if (BRUSHES.includes(this.tool)) this.leg(last, point);
  }

  up(point) {
    if (!this.way || this.tool === "polygon") return;
    const way = this.way;
    this.way = null;
    if (BRUSHES.includes(this.tool)) this.editor.commit();
    else if (TOOLS[this.tool].asks) this.editor.suggestions.take(this.tool, way, this.not);
    else if (way.length > 2) this.inside(way);
    else if (this.tool === "accept") this.region(this.editor.proposalPlane, point, this.proposed());
  }

  cancel() {
    this.way = null;
    this.editor.edits.cancel();
  }

  // Undo while drawing: the last corner of a polygon, or the stroke. Returns whether there was any.
  takeBack() {
    if (!this.way) return false;
    if (this.tool === "polygon" && this.way.length > 1) this.way.pop();
    else this.cancel();
    return true;
  }

  // End a stroke of the brush as if the pointer had gone up; a way that is open stays.
  finish() {
    if (!this.way || !BRUSHES.includes(this.tool)) return;
    this.way = null;
    this.editor.commit();
  }

  corner(point) {
    this.way ??= [];
    this.way.push(point);
  }

  // Close a polygon.
  close() {
    if (this.tool !== "polygon" || !this.way) return;
    const way = this.way;
    this.way = null;
    if (way.length > 2) this.inside(way);
  }

  leg(from, to) {
    const { edits, size, chosen } = this.editor;
    const { width, height } = edits.plane;
    const value = this.tool === "erase" ? (i) => edits.saved[i] : chosen;
    edits.draw((visit) => strokeRows(width, height, from, to, size, visit), value, this.only);
  }

  inside(way) {
    const { edits, chosen } = this.editor;
    const { width, height } = edits.plane;
    const value = this.tool === "accept" ? this.proposed() : chosen;
    edits.draw((visit) => polygonRows(width, height, way, visit), value);
    this.editor.commit();
  }

  region(level, [x, y], value) {
    const { edits } = this.editor;
    const { width, height } = edits.plane;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    edits.draw((visit) => connectedRows(level, column, row, visit), value);
    this.editor.commit();
  }

  proposed() {
    const { values } = this.editor.proposalPlane;
    return (i) => values[i];
  }
}
