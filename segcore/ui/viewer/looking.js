// What the viewer and the editor have in common: a stage of pictures under one camera, repainted once a frame at most,
// with short messages below. Who extends it sets "camera" when it lays the pictures out, and has paint() and publish().

const HINT = 1800; // milliseconds that a short message stays
const ASIDE = 760; // CSS pixels from which on the classes stand beside the pictures
const LEAST_SHARE = 0.5; // of the window's height, for the pictures

class Looking {
  constructor(root, ...pictures) {
    this.root = root;
    this.sequence = 0; // of payloads: unpacking takes a while, only the newest may reach the screen
    this.scene = null;
    this.cursor = null; // [x, y] in image pixels
    this.stage = el("div", { class: "stage" }, ...pictures);
    this.notice = el("div", { class: "notice", role: "status" });
    this.status = el("div", { class: "status" });
    this.frameNode = el("div", { class: "frame" }, this.stage, this.notice);
    this.resizing = new ResizeObserver(() => this.layout());
    this.resizing.observe(root);
  }

  destroy() {
    this.resizing.disconnect();
    cancelAnimationFrame(this.pending);
    this.sequence = Infinity; // what is still being unpacked comes too late
  }

  // ---- zoom and pan; positions are CSS pixels in a picture

  fit() {
    this.camera.fit();
    this.repaint();
  }

  zoomBy(factor, x, y) {
    this.camera.zoomBy(factor, x, y);
    this.repaint();
  }

  panBy(dx, dy) {
    this.camera.panBy(dx, dy);
    this.repaint();
  }

  // ---- messages and painting

  hint(text, time = HINT) {
    this.notice.textContent = text;
    this.notice.classList.add("on");
    clearTimeout(this.hinting);
    this.hinting = setTimeout(() => this.notice.classList.remove("on"), time);
  }

  // Height that the pictures may take, CSS pixels; far down a page the window is scrolled anyway.
  get room() {
    if (this.root.matches(":fullscreen")) return freeHeight(this.stage);
    return Math.max(freeHeight(this.stage), LEAST_SHARE * innerHeight);
  }

  // Let the classes stand beside the pictures where that is wide enough; returns the width left for the pictures.
  placeAside(side) {
    const aside = this.root.clientWidth >= ASIDE;
    this.root.classList.toggle("aside", aside);
    side.style.maxHeight = aside ? `${this.room}px` : "";
    return this.stage.clientWidth;
  }

  sizeCanvas(canvas, width, height) {
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== high) canvas.height = high;
    canvas.style.height = `${height}px`;
  }

  repaint() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      if (!this.camera) return;
      const start = performance.now();
      this.frame = this.camera.frame(devicePixelRatio || 1);
      this.paint();
      this.paintTime = performance.now() - start;
      this.root.dataset.painted = this.scene.id;
      this.publish();
    });
  }
}
