// The mask editor: one picture to draw on, tools above it, classes and proposals next to it.

const SAVE_PATIENCE = 30_000; // milliseconds that an answer to a save may take
const AHEAD = new Map(); // key of an editor -> { settings, scene }: the image that follows, unpacked

class Editor extends Looking {
  constructor(root) {
    const canvas = el("canvas", { tabindex: 0, role: "application", "aria-label": "Mask editor" });
    super(root, el("div", { class: "picture" }, canvas));
    this.canvas = canvas;
    this.tool = "brush";
    this.size = 12; // diameter of the brush, image pixels
    this.chosen = 0;
    this.last = 0; // the class chosen before
    this.saves = 0;
    this.strokes = new Strokes(this);
    this.suggestions = new Suggestions(this);
    this.byKeys = false; // whether keys moved the pointer last
    this.bar = new EditorBar(this);
    this.side = new EditorSide(this);
    root.replaceChildren(el("style", {}, STYLE), this.bar.node, this.frameNode, this.side.node);
    root.addEventListener("keydown", (event) => onEditorKey(this, event));
    bindEditor(this, this.canvas);
    this.onBlur = () => this.letGo();
    addEventListener("blur", this.onBlur);
  }

  destroy() {
    super.destroy();
    removeEventListener("blur", this.onBlur);
    clearTimeout(this.waiting);
  }

  async receive({ data, setTriggerValue }) {
    const sequence = ++this.sequence;
    const [settings, body] = splitHeader(data);
    Object.assign(this, { settings, setTriggerValue });
    const kept = OPENED.get(settings.key);
    if (body.length && kept?.token !== settings.token) {
      const scene = await Scene.unpack(body);
      if (sequence !== this.sequence) return;
      if (this.isAnswer(settings.answer) && settings.answer.kept) DRAFTS.keptElsewhere(this.saving.edits);
      this.open(scene, settings);
    } else if (kept?.token === settings.token) {
      this.take(kept);
    } else if (AHEAD.get(settings.key)?.settings.token === settings.token) {
      await this.openAhead(); // it may have come after the last answer
    } else if (kept && this.isAnswer(settings.answer) && settings.answer.token === settings.token) {
      this.take(kept);
    } else {
      setTriggerValue("missing", true);
      return;
    }
    if (this.isAnswer(settings.answer)) this.answered(settings.answer);
    this.bar.offer();
    this.refresh();
    await this.suggestions.receive(settings.suggestion);
  }

  // The image that follows in the work list, which is here already; false where none is.
  async openAhead() {
    const ahead = AHEAD.get(this.settings.key);
    if (!ahead || OPENED.get(this.settings.key)?.token === ahead.settings.token) return false;
    AHEAD.delete(this.settings.key);
    const scene = await ahead.scene;
    Object.assign(this.settings, ahead.settings);
    this.open(scene, this.settings);
    return true;
  }

  // A mask, or other proposals for the mask that is being drawn on: then what was drawn stays.
  open(scene, { key, token, base }) {
    const known = OPENED.get(key);
    const look = known?.look ?? { ...freshState(), background: true };
    if (known?.scene.id !== scene.id) look.view = freshState().view;
    if (known && known.base !== base) DRAFTS.leave(key, known);
    const draft = known?.base === base ? known : DRAFTS.resume(key, scene.id);
    const same = draft?.base === base;
    const { values } = scene.panels[0].mask.levels[0];
    const plane = same ? draft.edits.plane : new Pyramid(values.slice(), scene.width, scene.height); // a proposal may be the same plane
    scene.panels[0].mask = plane;
    const edits = same ? draft.edits : new Edits(plane, known?.edits.locked);
    const task = (same && draft.task?.reopened()) || Task.of(this.settings.work);
    OPENED.set(key, { token, base, scene, task, edits, look });
    this.take(OPENED.get(key));
    if (!same && draft) {
      const pixels = edits.drawAgain(draft.edits, classesOfToday(draft.scene, scene));
      this.hint(`This mask was changed elsewhere: your ${pixels.toLocaleString("en")} unsaved pixels are drawn on the new one`, 8000);
    } else if (same && draft !== known) {
      this.hint("What you drew here before is not saved yet");
    }
  }

  take({ scene, edits, look, task }) {
    if (this.scene === scene) return;
    Object.assign(this, { scene, edits, look, task });
    this.painter = new Painter(scene);
    this.suggestions.clear();
    this.proposal = scene.panels.findIndex((panel) => panel.hidden && panel.mask);
    this.shownPanel = 0;
    if (this.chosen >= scene.classes.length && this.chosen !== scene.ignore) this.chosen = 0;
    edits.plane.onRefresh = (box) => {
      this.painter.wardrobe.layers.get("classes 0")?.touch(box);
      this.repaint();
    };
    this.side.offer();
    this.root.classList.remove("busy");
    this.layout();
    this.lookAtRegion();
  }

  // ---- the work list

  // Bring the region that is asked about into view, large enough to judge.
  lookAtRegion() {
    const region = this.task?.region;
    if (!region || !this.camera) return;
    const box = this.edits.box(region.rows.flatMap(([row, from, to]) => [row * this.scene.width + from, row * this.scene.width + to - 1]));
    const { view, width, height, fitScale } = this.camera;
    const [across, down] = [box[2] - box[0], box[3] - box[1]];
    const zoom = clamp(Math.min(width / (3 * across * fitScale), height / (3 * down * fitScale)), 1, 6);
    const centre = (middle, whole, room) => {
      const half = room / (2 * fitScale * zoom) / whole; // what is seen on either side, as a share of the image
      return half >= 0.5 ? 0.5 : clamp(middle / whole, half, 1 - half);
    };
    const x = centre((box[0] + box[2]) / 2, this.scene.width, width);
    const y = centre((box[1] + box[3]) / 2, this.scene.height, height);
    Object.assign(view, { x, y, zoom });
    this.refresh();
  }

  decide(decision) {
    const { task, edits } = this;
    const region = task?.region;
    if (!region) return;
    this.strokes.cancel();
    if (decision === "accepted") {
      edits.draw((visit) => region.rows.forEach((row) => visit(...row)), region.suggested);
      edits.commit();
    }
    task.decide(decision, edits.done.length);
    if (task.region) this.lookAtRegion();
    else this.finish();
  }

  // Return to the region decided about last; what was accepted is taken back.
  back() {
    if (!this.task) return;
    if (this.task.back()) this.lookAtRegion();
    else if (this.task.decisions.length) this.undo();
    else this.hint("This is the first region of the image");
  }

  // Hand over what was decided and drawn, and go on with the next image, which is here already as a rule.
  async finish() {
    const { task, settings } = this;
    const sent = { decisions: task.decisions.map(({ decision, index }) => [decision, index]), token: settings.token };
    if (this.saving) {
      this.root.classList.add("busy");
      return this.after(() => this.finish());
    }
    this.send();
    sent.number = this.saving.number;
    sent.used = this.saving.used;
    const { width, height } = this.scene;
    const packing = this.edits.dirty ? packPlane({ values: this.saving.mask, width }) : null;
    if (packing) Object.assign(sent, { shape: [height, width], bytes: this.saving.mask.BYTES_PER_ELEMENT });
    if (!(await this.openAhead())) this.root.classList.add("busy");
    sent.mask = packing && (await packing);
    this.setTriggerValue("done", sent);
  }

  get panel() {
    return this.scene.panels[this.shownPanel];
  }

  get proposalPlane() {
    return this.scene.panels[this.proposal].mask.levels[0];
  }

  // ---- what the controls and gestures call

  setTool(tool) {
    if (tool === "accept" && this.proposal < 0) return this.hint("There is no prediction of this image to accept");
    if (TOOLS[tool].asks && !this.settings.asks.includes(tool)) return null;
    this.strokes.cancel();
    if (tool !== this.tool) this.suggestions.clear();
    this.tool = tool;
    return this.refresh();
  }

  setSize(size) {
    this.size = clamp(Math.round(size), SMALLEST, LARGEST);
    this.refresh();
  }

  choose(index) {
    if (index === null || index === this.chosen) return;
    this.last = this.chosen;
    this.chosen = index;
    this.suggestions.choose(index);
    this.refresh();
  }

  toggleLock(index) {
    const { locked } = this.edits;
    if (!locked.delete(index)) locked.add(index);
    this.refresh();
  }

  setProposal(index) {
    this.proposal = index;
    this.refresh();
  }

  // Keys that are held go up elsewhere when the window or the picture is left.
  letGo() {
    this.panning = false;
    this.peek(false);
  }

  // Show the proposal instead of the mask while asked to.
  peek(on) {
    if (!this.scene) return;
    const shown = on && this.proposal >= 0 ? this.proposal : 0;
    if (shown === this.shownPanel) return;
    this.shownPanel = shown;
    this.repaint();
  }

  // Take over all pixels that the proposal gives the chosen class, where it is sure enough.
  acceptClass(threshold) {
    const { edits, scene, chosen } = this;
    const { values, width } = this.proposalPlane;
    const sure = scene.panels[this.proposal].scalar;
    const level = Math.ceil(threshold * (SCALAR_LEVELS - 1) - 1e-9);
    edits.draw((visit) => {
      for (let row = 0; row < scene.height; row++) {
        for (let x = 0; x < width; x++) {
          if (values[row * width + x] !== chosen || (sure && scene.at(sure, x, row) < level)) continue;
          const from = x;
          while (x + 1 < width && values[row * width + x + 1] === chosen && !(sure && scene.at(sure, x + 1, row) < level)) x++;
          visit(row, from, x + 1);
        }
      }
    }, chosen);
    this.hint(`${this.commit().toLocaleString("en")} pixels changed`);
  }

  commit() {
    const pixels = this.edits.commit();
    this.refresh();
    return pixels;
  }

  undo() {
    if (this.strokes.takeBack() || this.suggestions.takeBack()) return this.refresh();
    if (!this.edits.undo()) this.hint("Nothing to undo");
    if (this.task?.undone(this.edits.done.length)) this.lookAtRegion();
    this.refresh();
  }

  redo() {
    this.strokes.cancel();
    if (!this.edits.redo()) this.hint("Nothing to redo");
    this.refresh();
  }

  async save() {
    this.strokes.finish();
    if (!this.edits.dirty) return;
    if (this.saving) {
      this.after(() => this.save());
      return;
    }
    const { mask, number, used } = this.send();
    const { token } = this.settings; // another image may be open once the mask is packed
    const { width, height } = this.scene;
    const plane = await packPlane({ values: mask, width });
    this.setTriggerValue("save", { number, token, used, shape: [height, width], bytes: mask.BYTES_PER_ELEMENT, mask: plane });
  }

  // Remember what is on its way to the server.
  send() {
    const { edits } = this;
    this.saving = { number: `${Date.now()}.${++this.saves}`, step: edits.done.at(-1), mask: edits.values.slice(), used: edits.proposedBy, edits };
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.saving = this.following = null;
      this.root.classList.remove("busy");
      this.task?.reopened();
      this.hint("No answer to the save so far: save again", 8000);
      this.refresh();
    }, SAVE_PATIENCE);
    this.refresh();
    return this.saving;
  }

  // Do something once what is on its way was answered, if the same image is open then.
  after(act) {
    const { edits } = this;
    this.following = () => this.edits === edits && act();
  }

  isAnswer(answer) {
    return Boolean(answer && answer.number === this.saving?.number);
  }

  // What became of a save: the mask is in use, or it was refused and is still here.
  answered({ saved, token, base, text }) {
    const { step, mask, edits } = this.saving;
    const { following } = this;
    this.saving = this.following = null;
    clearTimeout(this.waiting);
    if (saved) {
      edits.saved = mask;
      edits.savedAt = step;
      const kept = OPENED.get(this.settings.key);
      if (kept.edits === edits) Object.assign(kept, { token, base });
      DRAFTS.saved(edits, base);
    }
    this.root.classList.remove("busy");
    if (!saved && edits === this.edits) this.task?.reopened();
    this.hint(text, saved ? 1800 : 8000);
    if (saved) following?.();
  }

  // Keys put the tool down where the pointer is, and lift it.
  pen() {
    this.cursor ??= this.camera.toImage(this.camera.width / 2, this.camera.height / 2);
    if (this.strokes.way && this.tool !== "polygon") this.strokes.up(this.cursor);
    else this.strokes.down(this.cursor);
    this.refresh();
  }

  // Keys move the pointer: by a pixel where pixels are large, by some on the screen otherwise.
  moveCursor(dx, dy) {
    const step = Math.max(1, Math.round(8 / this.camera.scale));
    const [x, y] = this.cursor ?? this.camera.toImage(this.camera.width / 2, this.camera.height / 2);
    this.cursor = [clamp(Math.floor(x) + step * dx + 0.5, 0.5, this.scene.width - 0.5), clamp(Math.floor(y) + step * dy + 0.5, 0.5, this.scene.height - 0.5)];
    this.byKeys = true;
    this.strokes.move(this.cursor);
    this.repaint();
  }

  change(patch) {
    Object.assign(this.look, patch);
    this.refresh();
  }

  cycleFill() {
    const names = Object.keys(FILLS);
    this.change({ fill: names[(names.indexOf(this.look.fill) + 1) % names.length] });
  }

  valueAt([x, y]) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= this.scene.width || row >= this.scene.height) return null;
    return this.edits.values[row * this.scene.width + column];
  }

  nameOf(index) {
    return index === this.scene.ignore ? "Ignored" : this.scene.classes[index];
  }

  pointAt(x, y) {
    this.cursor = this.camera.toImage(x, y);
    this.byKeys = false;
    this.repaint();
  }

  pointAway() {
    this.cursor = null;
    this.repaint();
  }

  // ---- layout and painting

  refresh() {
    if (!this.scene) return;
    this.bar.sync();
    this.side.sync();
    this.layout();
  }

  layout() {
    const width = this.placeAside(this.side.node);
    if (!this.scene || !width) return;
    const natural = Math.min(this.room, Math.round((width * this.scene.height) / this.scene.width));
    const scale = Math.min(width / this.scene.width, natural / this.scene.height);
    this.camera = new Camera(this.look.view, this.scene, { width, height: natural, scale });
    this.sizeCanvas(this.canvas, width, natural);
    this.repaint();
  }

  paint() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.painter.paint(context, this.frame, this.panel, this.look, null);
    paintRegion(context, this);
    paintSuggestion(context, this);
    paintWay(context, this);
    paintBrush(context, this);
    this.bar.report();
  }

  publish() {
    window.__segeditor = this;
  }
}
