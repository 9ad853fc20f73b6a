// One viewer: it holds the scene and the state, lays the pictures out, and paints when either changes.

const STATES = new Map(); // key of a viewer -> { state, opened }: survives reruns and switches of page
const WIDE = 900; // CSS pixels of a viewer from which on the toolbar is one row
const BLINK = 700; // milliseconds a picture stays; slow enough to be safe for photosensitive eyes

class Viewer extends Looking {
  constructor(root) {
    super(root);
    this.views = [];
    this.spot = null;
    this.blink = { second: false, held: false };
    this.toolbar = new Toolbar(this);
    this.legend = new Legend(this);
    this.spoken = el("div", { class: "spoken", "aria-live": "polite" });
    this.toolbar.place(this.status);
    root.replaceChildren(el("style", {}, STYLE), this.toolbar.node, this.frameNode, this.legend.node, this.spoken);
    root.addEventListener("keydown", (event) => onKey(this, event));
    this.onWindow = () => this.layout();
    addEventListener("resize", this.onWindow);
    this.onFullScreen = () => this.layout();
    document.addEventListener("fullscreenchange", this.onFullScreen);
  }

  destroy() {
    super.destroy();
    document.removeEventListener("fullscreenchange", this.onFullScreen);
    removeEventListener("resize", this.onWindow);
    clearInterval(this.blinking);
    if (this.album?.viewer === this) this.album.viewer = null;
    if (this.mosaic?.viewer === this) this.mosaic.viewer = null;
  }

  // Take what Python sent.
  async receive({ data, setStateValue, setTriggerValue }) {
    const sequence = ++this.sequence;
    const [settings, body] = splitHeader(data);
    Object.assign(this, { settings, setStateValue, setTriggerValue });
    this.openState(settings);
    const scene = await (settings.context === undefined ? this.unpack(body) : this.fromAlbum(body));
    if (sequence !== this.sequence || !scene) return;
    this.root.classList.remove("busy");
    this.openMosaic(scene, settings);
    this.show(scene);
  }

  // Tiles that show more than the scene holds, where the page has them.
  openMosaic(scene, { key, tiles }) {
    this.mosaic = tiles ? Mosaic.of(key) : null;
    if (!tiles) return;
    this.mosaic.open(tiles);
    this.mosaic.viewer = this;
    Object.assign(scene, { full: tiles.full, detail: tiles.full[0] / scene.width });
  }

  show(scene) {
    if (scene.digest !== this.scene?.digest) this.setScene(scene);
    this.toolbar.offer(this.scene, this.settings);
    this.refresh();
  }

  async unpack(body) {
    return this.scene?.digest === splitHeader(body)[0].digest ? this.scene : Scene.unpack(body);
  }

  // The scene that the page means: sent now, or sent before and named. Null where the user has gone on meanwhile.
  async fromAlbum(body) {
    const { key, context, image, answered } = this.settings;
    const album = (this.album = Album.of(key));
    const name = album.name(image, context);
    album.viewer = this;
    if (body.length && !album.scene(name)) album.keep(name, Scene.unpack(body), body.length);
    if (album.outdated(answered) && album.context === context) return null;
    album.context = context;
    album.current = image;
    album.strip?.follow();
    const scene = album.scene(name);
    if (!scene) this.setTriggerValue("missing", true);
    return scene;
  }

  // Show another image of the strip: at once where it is here already; the page is notified in any case.
  go(image) {
    const { album } = this;
    if (!album || image === album.current || image === null) return;
    const scene = album.scene(album.name(image));
    const number = album.choose(image);
    if (!scene) this.root.classList.add("busy");
    scene?.then((found) => {
      if (album.current !== image || album.asked !== number) return;
      this.root.classList.remove("busy");
      this.show(found);
    });
    this.setTriggerValue("pick", { image, number, held: Boolean(scene) });
  }

  openState({ key, state }) {
    if (!STATES.has(key)) STATES.set(key, { state: freshState(), opened: null });
    const kept = STATES.get(key);
    if (state && state !== kept.opened) {
      kept.state = freshState();
      kept.opened = state;
      decodeState(state, kept.state);
    }
    this.state = kept.state;
  }

  setScene(scene) {
    this.scene = scene;
    this.painter = new Painter(scene);
    const { state } = this;
    if (state.solo !== null && state.solo >= scene.classes.length) state.solo = null;
    if (!state.paired || state.pair.some((index) => !scene.panels[index] || scene.panels[index].hidden)) this.proposePair();
    this.cursor = null;
    this.legend.offer(scene);
  }

  // Truth and the first mask next to it, or else the first two panels.
  proposePair() {
    const { shown, truth } = this.scene;
    const masks = shown.filter((panel) => !isBare(panel) && panel.index !== truth && panel.index !== panel.versus).map((panel) => panel.index);
    const first = truth !== null && !this.scene.panels[truth].hidden && masks.length ? [truth, masks[0]] : shown.map((panel) => panel.index);
    this.state.pair = [first[0], first[1] ?? first[0]];
    this.state.paired = false;
  }

  // ---- what the controls and gestures call

  change(patch) {
    Object.assign(this.state, patch);
    this.refresh();
  }

  setMode(mode) {
    if (this.scene.shown.length < 2 && mode !== "grid") return;
    this.blink = { second: false, held: matchMedia("(prefers-reduced-motion: reduce)").matches };
    this.change({ mode });
  }

  setPair(side, index) {
    const pair = [...this.state.pair];
    if (pair[1 - side] === index) pair[1 - side] = pair[side];
    pair[side] = index;
    this.change({ pair, paired: true });
  }

  holdBlink() {
    if (this.state.mode !== "blink") return;
    if (this.blink.held) this.blink.second = !this.blink.second;
    this.blink.held = true;
    this.refresh();
  }

  cycleFill() {
    const names = Object.keys(FILLS);
    this.change({ fill: names[(names.indexOf(this.state.fill) + 1) % names.length] });
  }

  toggleClass(index) {
    const { scene, state } = this;
    if (state.solo !== null) return this.setSolo(index);
    if (scene.background.includes(index) && !state.hidden.has(index)) return this.change({ background: !state.background });
    if (!state.hidden.delete(index)) state.hidden.add(index);
    return this.refresh();
  }

  setSolo(index) {
    const solo = this.state.solo === index ? null : index;
    this.change({ solo });
    this.send("label", solo ?? -1);
  }

  showAllClasses() {
    const label = this.state.solo !== null;
    this.change({ solo: null, hidden: new Set(), background: true });
    if (label) this.send("label", -1);
  }

  setColor(index, hex) {
    this.state.colors.set(index, hex);
    this.refresh();
  }

  seek(index) {
    if (this.spot === index) return;
    this.spot = index;
    this.repaint();
  }

  send(event, value) {
    if (this.settings.listen.includes(event)) this.setTriggerValue(event, value);
  }

  step(direction) {
    if (this.album?.ids.length) this.go(this.album.neighbour(direction));
    else this.send("step", direction);
  }

  async copyLink() {
    const text = encodeState(this.state);
    STATES.get(this.settings.key).opened = text;
    const address = new URL(location.href);
    address.searchParams.set(this.settings.link, text);
    let copied = true;
    await navigator.clipboard.writeText(address.href).catch(() => (copied = false));
    this.hint(copied ? "Link copied" : "The link is in the address bar");
    this.setStateValue("share", text);
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch(() => this.hint("Full screen is not allowed here"));
  }

  hasFocus() {
    const active = this.root.getRootNode().activeElement;
    return active !== null && this.stage.contains(active);
  }

  zoomToPixels() {
    this.zoomBy(this.scene.detail / this.frame.scale);
  }

  // ---- layout

  refresh() {
    if (!this.scene) return;
    this.arrange();
    this.toolbar.sync();
    this.legend.sync();
    this.layout();
  }

  // One view for each panel, or a single one for the two that are compared. Kept where nothing changed, so
  // that the keyboard's place is kept too.
  arrange() {
    const { scene, state } = this;
    const groups = state.mode === "grid" || scene.shown.length < 2 ? scene.shown.map((panel) => [panel.index]) : [state.pair];
    const signature = JSON.stringify([state.mode, groups, scene.shown.map((panel) => [panel.title, panel.top.length > 0])]);
    clearInterval(this.blinking);
    if (state.mode === "blink" && !this.blink.held) {
      this.blinking = setInterval(() => {
        this.blink.second = !this.blink.second;
        this.repaint();
      }, BLINK);
    }
    if (signature === this.signature) return;
    const focused = this.hasFocus();
    this.signature = signature;
    this.views = groups.map((panels) => new View(this, panels));
    this.stage.replaceChildren(...this.views.map((view) => view.node));
    if (focused) this.views[0].canvas.focus({ preventScroll: true });
  }

  layout() {
    this.root.classList.toggle("wide", this.root.clientWidth >= WIDE);
    const width = this.placeAside(this.legend.node);
    if (!this.scene || !width) return;
    const grid = arrangeGrid(this.scene, this.views.length, width, this.room);
    this.columns = grid.columns;
    this.camera = new Camera(this.state.view, this.scene, grid);
    this.stage.style.gridTemplateColumns = `repeat(${grid.columns}, ${grid.width}px)`;
    for (const { canvas } of this.views) this.sizeCanvas(canvas, grid.width, grid.height);
    this.repaint();
  }

  // ---- painting

  paint() {
    for (const view of this.views) {
      const context = view.canvas.getContext("2d");
      context.clearRect(0, 0, view.canvas.width, view.canvas.height);
      this.drawPanels(context, this.frame, view, this.spot);
    }
    this.stage.classList.toggle("zoomed", this.state.view.zoom > 1);
    this.toolbar.showZoom(this.frame.scale / this.scene.detail);
    this.report();
  }

  // For tests and the curious: the state and pixels of the viewer painted last.
  publish() {
    window.__segviewer = {
      viewer: this,
      id: this.scene.id,
      state: this.state,
      frame: this.frame,
      paintTime: this.paintTime,
      at: performance.now(),
      probe: (x, y) => this.probe(x, y),
      panelPixels: (index, x = 0, y = 0, width = null, height = null) => {
        const { canvas } = this.views[index];
        return [...canvas.getContext("2d").getImageData(x, y, width ?? canvas.width, height ?? canvas.height).data];
      },
    };
  }

  // Draw a view's one panel, or the two it compares.
  drawPanels(context, frame, view, spot) {
    const { scene, state } = this;
    const draw = (position) => {
      const index = view.panels[position];
      this.painter.paint(context, frame, scene.panels[index], state, spot);
      this.mosaic?.paint(context, frame, scene, index, state, spot);
    };
    if (view.panels.length < 2) return draw(0);
    if (state.mode === "blink") return draw(this.blink.second ? 1 : 0);
    const { width, height } = context.canvas;
    const at = Math.round(state.split * width);
    for (const [position, from, wide] of [[0, 0, at], [1, at, width - at]]) {
      context.save();
      context.beginPath();
      context.rect(from, 0, wide, height);
      context.clip();
      draw(position);
      context.restore();
    }
    return null;
  }

  // ---- the crosshair and what stands under it

  pointAt(x, y) {
    const [imageX, imageY] = this.camera.toImage(x, y);
    const inside = imageX >= 0 && imageY >= 0 && imageX < this.scene.width && imageY < this.scene.height;
    this.cursor = inside ? [imageX, imageY] : null;
    this.report();
  }

  pointAway() {
    this.cursor = null;
    this.report();
  }

  moveCursor(dx, dy) {
    const { scene } = this;
    const { detail } = scene;
    const [x, y] = this.cursor ?? [this.state.view.x * scene.width, this.state.view.y * scene.height];
    const middle = (value, step, length) => clamp(Math.floor(value * detail) + step + 0.5, 0.5, length * detail - 0.5) / detail;
    this.cursor = [middle(x, dx, scene.width), middle(y, dy, scene.height)];
    this.report();
    const facts = this.probe(...this.cursor).filter((fact) => fact.name !== null);
    this.spoken.textContent = facts.map((fact) => `${fact.title}: ${fact.name}`).join(". ");
  }

  pick(x, y) {
    const [imageX, imageY] = this.camera.toImage(x, y);
    if (imageX < 0 || imageY < 0 || imageX >= this.scene.width || imageY >= this.scene.height) return;
    const [fullX, fullY] = this.scene.toFull(imageX, imageY);
    this.send("pixel", { x: fullX, y: fullY });
  }

  probe(x, y) {
    const { detail } = this.scene;
    const [scene, column, row] = this.mosaic?.at(x * detail, y * detail) ?? [this.scene, x, y];
    return scene.panels.map((panel) => scene.probe(panel, Math.floor(column), Math.floor(row)));
  }

  report() {
    const { scene, state, frame } = this;
    if (!scene || !frame) return;
    const facts = this.cursor && this.probe(...this.cursor);
    for (const view of this.views) view.report(facts, this.cursor, frame);
    const [fullWidth, fullHeight] = scene.full;
    const parts = [`${fullHeight} x ${fullWidth} px`];
    if (this.settings.image !== undefined) parts.push(this.album.current);
    if (fullWidth !== scene.width && !this.mosaic) parts.push(`shown at ${scene.height} x ${scene.width}`);
    if (facts) parts.unshift(`x ${scene.toFull(...this.cursor)[0]}, y ${scene.toFull(...this.cursor)[1]}`);
    if (state.mode === "blink") parts.push(this.blink.held ? "paused: Space shows the other panel" : "Space pauses");
    this.status.textContent = parts.join(" · ");
    this.status.title = `${this.status.textContent} (height x width)`;
  }
}
