// The classes that are present: their colours, area and IoU, and the way to hide, isolate and find them.

const FILTER_FROM = 12; // classes from which on a field to filter them is offered
const INTENT = 90; // milliseconds the pointer rests on a class before it is looked for

class Legend {
  constructor(viewer) {
    this.viewer = viewer;
    this.chips = new Map();
    this.list = el("ul", { "aria-label": "Classes" });
    this.filter = el("input", { type: "search", placeholder: "Find a class", "aria-label": "Find a class", oninput: () => this.applyFilter() });
    this.sort = el("select", { "aria-label": "Sort classes", title: "Sort classes by", onchange: () => viewer.change({ sort: this.sort.value }) });
    for (const [name, title] of Object.entries(SORTS)) this.sort.append(el("option", { value: name }, title));
    this.all = el("button", { type: "button", onclick: () => viewer.showAllClasses() }, "Show all");
    this.reset = el("button", { type: "button", onclick: () => viewer.change({ colors: new Map() }) }, "Reset colours");
    this.head = el("div", { class: "group head" }, this.filter, this.sort, this.all, this.reset);
    this.key = el("ul", { class: "key", "aria-label": "Errors" });
    this.areaTitle = el("span", {}, "Area");
    this.iouTitle = el("span", {});
    this.columns = el("div", { class: "columns" }, this.areaTitle, this.iouTitle);
    this.node = el("div", { class: "legend" }, this.head, this.key, this.columns, this.list);
  }

  // Make the chips of a scene; those that stay keep their place in the document, so that focus stays too.
  offer(scene) {
    const present = scene.presentClasses;
    this.areas = new Map(present);
    for (const [index, chip] of this.chips) {
      if (this.areas.has(index) && chip.name === scene.classes[index]) continue;
      chip.node.remove();
      this.chips.delete(index);
    }
    this.judge = scene.shown.find((panel) => isPlainMask(panel) && scene.comparable(panel)) ?? null;
    this.areaTitle.classList.toggle("beside", Boolean(this.judge));
    this.iouTitle.textContent = this.judge ? `IoU of ${this.judge.title}` : "";
    this.sort.querySelector("[value=iou]").disabled = !this.judge;
    for (const [index, share] of present) {
      if (!this.chips.has(index)) this.chips.set(index, this.chip(index, scene.classes[index]));
      const chip = this.chips.get(index);
      chip.share.textContent = share ? percent(share) : "none";
      chip.share.title = share ? "Percentage of all pixels" : "Not in the reference mask, but shown by another";
      const iou = this.judge && scene.iou(this.judge, index);
      chip.iou.textContent = iou === null ? "" : percent(iou);
      chip.iou.title = iou === null ? "" : `IoU of ${this.judge.title} in this image`;
      chip.score = iou ?? -1;
      chip.note.hidden = !scene.unlabeled.includes(index);
    }
    this.filter.hidden = present.length < FILTER_FROM;
    this.sort.hidden = present.length < 2;
    this.offerVoid(scene);
    this.order();
    this.applyFilter();
  }

  // Bring the chips into the chosen order.
  order() {
    const { state } = this.viewer;
    this.ordered = state.sort;
    const by = {
      area: ([a], [b]) => this.areas.get(b) - this.areas.get(a) || a - b,
      iou: ([, a], [, b]) => b.score - a.score,
      name: ([, a], [, b]) => a.name.localeCompare(b.name),
    }[state.sort];
    [...this.chips].sort(by).forEach(([, chip], position) => {
      if (this.list.children[position] !== chip.node) this.list.insertBefore(chip.node, this.list.children[position] ?? null);
    });
  }

  offerVoid(scene) {
    this.void?.remove();
    const reference = scene.truthPanel ?? scene.panels.find((panel) => panel.mask);
    const pixels = reference?.counts.get(scene.ignore);
    if (!pixels) return;
    const name = scene.ignored.length ? scene.ignored.join(", ") : "Void";
    this.void = el("li", { class: "chip void" }, el("i", { class: "swatch hatched" }), el("span", { class: "name" }, `${name} (ignored)`),
      el("small", { title: "Percentage of all pixels" }, `area ${percent(pixels / (scene.width * scene.height))}`));
    this.list.append(this.void);
  }

  chip(index, name) {
    const { viewer } = this;
    const label = `Colour of ${name}`;
    const color = el("input", { type: "color", "aria-label": label, title: label, oninput: (event) => viewer.setColor(index, event.target.value) });
    const show = el("button", { type: "button", class: "name", title: `${name}: show or hide`, onclick: () => viewer.toggleClass(index) }, name);
    const only = el("button", { type: "button", class: "only", title: `Solo ${name}; again: show all`, "aria-label": `Solo ${name}` }, "solo");
    only.addEventListener("click", () => viewer.setSolo(index));
    const share = el("small", {});
    const iou = el("small", { class: "iou" });
    const note = el("small", { class: "note", title: `${name} is scored like any class. Dataset, Classes ignores it.` }, "scored: ignore it?");
    const node = el("li", { class: "chip" }, el("span", { class: "swatch" }, color), show, share, iou, only, note);
    node.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && this.seek(index));
    node.addEventListener("pointerleave", () => this.seek(null));
    show.addEventListener("focus", () => show.matches(":focus-visible") && this.seek(index));
    show.addEventListener("blur", () => this.seek(null));
    return { node, color, show, only, share, iou, note, name };
  }

  seek(index) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.viewer.seek(index), index === null ? 0 : INTENT);
  }

  applyFilter() {
    const words = this.filter.hidden ? "" : this.filter.value.trim().toLowerCase();
    for (const chip of this.chips.values()) chip.node.hidden = !chip.name.toLowerCase().includes(words);
    if (this.void) this.void.hidden = words !== "";
  }

  sync() {
    const { scene, state } = this.viewer;
    for (const [index, chip] of this.chips) {
      const shown = isShown(scene, state, index);
      const color = classColor(scene, state, index);
      chip.node.classList.toggle("off", !shown);
      chip.show.setAttribute("aria-pressed", String(shown));
      chip.only.setAttribute("aria-pressed", String(state.solo === index));
      if (chip.color.value !== color) chip.color.value = color;
    }
    this.sort.value = state.sort;
    if (this.ordered !== state.sort) this.order();
    this.all.hidden = state.solo === null && !state.hidden.size;
    this.reset.hidden = !state.colors.size;
    this.head.hidden = [this.all, this.reset, this.filter, this.sort].every((part) => part.hidden);
    this.node.hidden = !this.chips.size && !this.void;
    this.columns.hidden = !this.chips.size;
    const rows = verdictKey(scene, state);
    this.key.hidden = !rows.length;
    this.key.replaceChildren(...rows.map(([color, kind, words]) => {
      const swatch = el("i", { class: `swatch hatch-${kind}` });
      swatch.style.setProperty("--color", color);
      return el("li", {}, swatch, words);
    }));
  }
}
