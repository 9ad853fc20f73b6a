// One picture on the page: a figure with its caption, canvas, crosshair and, in swipe, the divider.

class View {
  constructor(viewer, panels) {
    this.viewer = viewer;
    this.panels = panels; // positions of the panels shown here: one, or the two that are compared
    this.canvas = el("canvas", { tabindex: 0, role: "img" });
    this.captions = panels.map((index, side) => new Caption(viewer, index, panels.length > 1 ? side : null));
    this.lines = ["across", "down", "cell"].map((name) => el("i", { class: `cross ${name}` }));
    this.picture = el("div", { class: "picture" }, this.canvas, ...this.lines);
    const captions = this.captions.map((caption) => caption.node);
    this.picture.append(el("figcaption", { class: panels.length > 1 ? "pair" : "" }, ...captions));
    this.node = el("figure", {}, this.picture);
    bindPicture(viewer, this.canvas);
    if (panels.length > 1 && viewer.state.mode === "swipe") this.addDivider();
  }

  addDivider() {
    const slider = { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100 };
    this.divider = el("div", { class: "divider", "aria-label": "Swipe divider", ...slider });
    this.picture.append(this.divider);
    bindDivider(this.viewer, this.divider, this.canvas);
  }

  // Show the facts at the cursor, or where there is none the panel's summary.
  report(facts, cursor, frame) {
    const { state, blink } = this.viewer;
    this.canvas.setAttribute("aria-label", this.captions.map((caption) => caption.describe()).join("; "));
    this.captions.forEach((caption, side) => {
      caption.report(facts?.[caption.panel.index] ?? null);
      caption.node.classList.toggle("faded", state.mode === "blink" && side !== (blink.second ? 1 : 0));
    });
    this.placeCross(cursor, frame);
    if (!this.divider) return;
    this.divider.style.left = `${100 * state.split}%`;
    this.divider.setAttribute("aria-valuenow", Math.round(100 * state.split));
  }

  placeCross(cursor, { scale, left, top, ratio }) {
    const { detail } = this.viewer.scene;
    for (const line of this.lines) line.hidden = !cursor;
    if (!cursor) return;
    const [across, down, cell] = this.lines;
    const edge = (value, start) => (value * scale + start) / ratio;
    across.style.transform = `translateY(${edge(cursor[1], top)}px)`;
    down.style.transform = `translateX(${edge(cursor[0], left)}px)`;
    const side = scale / detail / ratio;
    const corner = (value) => Math.floor(value * detail) / detail;
    cell.hidden = side < 8; // the pixel's own square, once it can be seen
    cell.style.width = cell.style.height = `${side}px`;
    cell.style.transform = `translate(${edge(corner(cursor[0]), left)}px, ${edge(corner(cursor[1]), top)}px)`;
  }
}

// A panel's title, what it shows under the pointer, and its top classes.
class Caption {
  // "side" is 0 or 1 where two panels are compared: the title is then a choice of panels.
  constructor(viewer, index, side) {
    this.viewer = viewer;
    this.index = index;
    this.swatch = el("i", { class: "swatch" });
    this.value = el("span", { class: "value" });
    this.mark = el("b", { class: "mark" });
    this.top = this.panel.top.length ? el("div", { class: "top" }) : null;
    this.fact = el("span", { class: "fact" }, this.swatch, this.value, this.mark);
    this.node = el("div", { class: "caption" }, el("div", { class: "line" }, side === null ? this.title() : this.choice(side), this.fact));
    if (this.top) this.node.append(this.top);
    if (isHeat(this.panel)) this.addHeat();
  }

  get panel() {
    return this.viewer.scene.panels[this.index];
  }

  title() {
    return el("span", { class: "title", title: this.panel.title }, this.panel.title);
  }

  choice(side) {
    const options = this.viewer.scene.shown.map((panel) => el("option", { value: panel.index, selected: panel.index === this.index }, panel.title));
    const onchange = (event) => this.viewer.setPair(side, +event.target.value);
    return el("select", { class: "title", "aria-label": side ? "Second panel" : "First panel", onchange }, ...options);
  }

  addHeat() {
    this.heat = el("span", { class: "heat", title: "Low to high" }, "0", el("i", {}), "1");
    this.heat.children[0].style.background = `linear-gradient(to right, ${HEAT.join(", ")})`;
    this.fact.prepend(this.heat);
  }

  report(fact) {
    const { scene, state } = this.viewer;
    if (this.heat) this.heat.hidden = fact !== null;
    const colored = fact !== null && fact.index !== null;
    this.swatch.hidden = !colored;
    this.mark.textContent = "";
    this.mark.className = "mark";
    if (this.top) this.top.textContent = fact ? fact.top.map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(" · ") : "";
    if (!fact) {
      this.value.textContent = this.summary(scene, state);
      return;
    }
    if (colored) this.swatch.style.background = fact.isVoid ? "" : classColor(scene, state, fact.index);
    this.swatch.classList.toggle("hatched", fact.isVoid);
    const share = fact.share === null ? "" : `${Math.round(100 * fact.share)} %`;
    this.value.textContent = [fact.name, share].filter(Boolean).join(" ");
    if (fact.right === null) return;
    this.mark.textContent = fact.right ? "✓" : "✗";
    this.mark.title = fact.right ? "Correct" : "Wrong";
    this.mark.classList.add(fact.right ? "right" : "wrong");
  }

  // Without a pointer: how much of the panel is right, or the score of the one class shown.
  summary(scene, state) {
    const match = scene.match(this.panel);
    if (!match || showsChanges(this.panel)) return "";
    if (state.solo === null) return match.accuracy === null ? "" : `${percent(match.accuracy)} correct`;
    const iou = scene.iou(this.panel, state.solo);
    return iou === null ? "absent" : `IoU ${percent(iou)}`;
  }

  describe() {
    const { scene } = this.viewer;
    const biggest = [...this.panel.counts].filter(([index]) => index !== scene.ignore).sort((a, b) => b[1] - a[1]).slice(0, 3);
    const shares = biggest.map(([index, pixels]) => `${scene.classes[index]} ${percent(pixels / (scene.width * scene.height))}`);
    return shares.length ? `${this.panel.title}: ${shares.join(", ")}` : this.panel.title;
  }
}
