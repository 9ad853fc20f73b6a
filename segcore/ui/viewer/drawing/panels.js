// The editor's tool bar and the classes and proposals beside the picture. sync() makes them show the editor's state.

class EditorBar {
  constructor(editor) {
    this.editor = editor;
    this.tools = Object.entries(TOOLS).map(([name, { key, title, help }]) => [
      name,
      el("button", { type: "button", title: `${help} (${key})`, onclick: () => editor.setTool(name) }, title),
    ]);
    this.size = el("input", { type: "range", min: SMALLEST, max: 128, "aria-label": "Brush size", title: "Brush size in pixels ([ and ], Shift + wheel)", oninput: () => editor.setSize(+this.size.value) });
    this.sizeText = el("output", {});
    this.opacity = el("input", { type: "range", min: 0, max: 100, "aria-label": "Overlay opacity", title: "Overlay opacity", oninput: () => editor.change({ opacity: this.opacity.value / 100 }) });
    this.undo = el("button", { type: "button", title: "Undo (Ctrl + Z)", onclick: () => editor.undo() }, "Undo");
    this.redo = el("button", { type: "button", title: "Redo (Ctrl + Shift + Z)", onclick: () => editor.redo() }, "Redo");
    this.save = el("button", { type: "button", class: "save", title: "Save a new version of this mask (Ctrl + S)", onclick: () => editor.save() }, "Save");
    this.help = el("button", { type: "button", class: "icon", "aria-label": "Keys", title: "Keys (?)", "aria-expanded": "false", onclick: () => this.toggleHelp() }, "?");
    this.keys = el("dl", {});
    this.menu = el("div", { class: "menu", hidden: true }, this.keys);
    this.node = el("div", { class: "toolbar", role: "toolbar", "aria-label": "Mask editor" },
      el("span", { class: "group joined" }, ...this.tools.map(([, button]) => button)),
      el("label", { class: "group" }, "Size", this.size, this.sizeText),
      el("label", { class: "group" }, "Overlay", this.opacity),
      el("span", { class: "middle" }, editor.status),
      el("span", { class: "group joined" }, this.undo, this.redo),
      this.save, this.help, this.menu, this.buildTask());
    editor.frameNode.append(this.buildSuggestion());
  }

  // Tools that the page does not answer are not there, nor are their keys.
  offer() {
    const offered = (name) => !TOOLS[name].asks || this.editor.settings.asks.includes(name);
    for (const [name, button] of this.tools) button.hidden = !offered(name);
    const tools = Object.entries(TOOLS).filter(([name]) => offered(name)).map(([, { key, title, help }]) => [key, `${title.toLowerCase()}: ${help[0].toLowerCase()}${help.slice(1)}`]);
    const work = this.editor.task ? TASK_HELP : [];
    this.keys.replaceChildren(...[...work, ...tools, ...EDITOR_HELP].flatMap(([keys, what]) => [el("dt", {}, keys), el("dd", {}, what)]));
  }

  // Strokes that wait to be spread, or what is proposed, and the answers to it.
  buildSuggestion() {
    const { suggestions } = this.editor;
    this.enter = el("button", { type: "button", class: "save", onclick: () => suggestions.enter() });
    this.escape = el("button", { type: "button", title: "Esc", onclick: () => suggestions.escape() });
    this.proposed = el("span", { class: "question", role: "status" });
    this.suggestion = el("div", { class: "task proposed", role: "group", "aria-label": "Proposed region" }, this.proposed, this.enter, this.escape);
    return this.suggestion;
  }

  syncSuggestion() {
    const { offer, asked, strokes, busy } = this.editor.suggestions;
    this.suggestion.hidden = !busy;
    if (!busy) return;
    const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
    if (offer) this.proposed.textContent = `Proposal: ${count(offer.pixels, "pixel")} would change`;
    else if (asked) this.proposed.textContent = "Looking for the region …";
    else this.proposed.textContent = `${count(strokes.length, "stroke")}: add strokes of other classes that meet here, then spread them`;
    this.enter.textContent = offer ? "Accept" : "Spread";
    this.enter.title = offer ? "Take the proposal into the mask (Enter)" : "Let the strokes spread (Enter)";
    this.enter.disabled = Boolean(asked);
    this.escape.textContent = offer || asked ? "Drop" : "Remove strokes";
  }

  // The question about a suspected region, and the answers to it.
  buildTask() {
    const { editor } = this;
    const answer = (text, title, decision) => el("button", { type: "button", title, onclick: () => editor.decide(decision) }, text);
    this.accept = answer("Accept", "Give the region the suggested class (Enter)", "accepted");
    this.accept.classList.add("save");
    this.question = el("span", { class: "question" });
    this.task = el("div", { class: "task", role: "group", "aria-label": "Suspected label" }, this.question, this.accept,
      answer("Keep", "The label is right: never ask again (k)", "kept"), answer("Skip", "Ask another time (n)", "skipped"));
    return this.task;
  }

  syncTask() {
    const { task } = this.editor;
    const region = task?.region;
    this.task.hidden = !region;
    if (!region) return;
    const [given, suggested] = [region.given, region.suggested].map((index) => this.editor.nameOf(index));
    this.question.replaceChildren("Labelled ", el("b", {}, given), ", perhaps ", el("b", {}, suggested), ` · ${region.pixels.toLocaleString("en")} pixels · region ${task.at + 1} of ${task.regions.length} · ${task.text}`);
  }

  toggleHelp() {
    this.menu.hidden = !this.menu.hidden;
    this.help.setAttribute("aria-expanded", String(!this.menu.hidden));
  }

  sync() {
    const { editor } = this;
    for (const [name, button] of this.tools) {
      button.setAttribute("aria-pressed", String(editor.tool === name));
      if (name === "accept") button.disabled = editor.proposal < 0;
    }
    this.size.value = editor.size;
    this.sizeText.textContent = `${editor.size} px`;
    this.opacity.value = Math.round(100 * editor.look.opacity);
    this.undo.disabled = !editor.edits.done.length;
    this.redo.disabled = !editor.edits.undone.length;
    this.save.disabled = !editor.edits.dirty || Boolean(editor.saving);
    this.save.textContent = editor.saving ? "Saving …" : "Save";
    this.syncTask();
    this.syncSuggestion();
    this.report();
  }

  report() {
    const { editor } = this;
    const value = editor.cursor && editor.valueAt(editor.cursor);
    const under = value === null || value === undefined ? "" : ` · ${editor.nameOf(value)} at ${Math.floor(editor.cursor[0])}, ${Math.floor(editor.cursor[1])}`;
    const waiting = DRAFTS.names(editor.settings.key);
    const others = waiting.length ? ` · ${waiting.length} other ${waiting.length === 1 ? "image" : "images"} not saved` : "";
    editor.status.textContent = `${editor.edits.dirty ? "not saved" : "saved"}${others}${under}`;
    editor.status.title = waiting.length ? `Not saved yet: ${waiting.join(", ")}` : "";
  }
}

class EditorSide {
  constructor(editor) {
    this.editor = editor;
    this.rows = new Map(); // value -> { node, name, lock, share }
    this.filter = el("input", { type: "search", placeholder: "Find a class", "aria-label": "Find a class", title: "Find a class (/); Enter chooses the first", oninput: () => this.applyFilter(), onkeydown: (event) => this.onFilterKey(event) });
    this.list = el("ul", { role: "radiogroup", "aria-label": "Class to paint" });
    this.proposals = el("select", { "aria-label": "Proposal", onchange: () => editor.setProposal(+this.proposals.value) });
    this.threshold = el("input", { type: "range", min: 0, max: 100, value: 80, "aria-label": "Least confidence", oninput: () => this.sync() });
    this.thresholdText = el("output", {});
    this.all = el("button", { type: "button", onclick: () => editor.acceptClass(this.threshold.value / 100) });
    this.sure = el("label", { class: "group" }, "Confidence from", this.threshold, this.thresholdText);
    this.box = el("div", { class: "proposals" }, el("b", {}, "Proposal"), this.proposals, this.sure, this.all,
      el("small", {}, "Hold p to see it. Accept takes over a region that you click or draw around."));
    this.node = el("div", { class: "legend" }, this.filter, this.list, this.box);
  }

  offer() {
    const { scene, proposal } = this.editor;
    this.rows.clear();
    const values = [...scene.classes.keys(), scene.ignore];
    this.list.replaceChildren(...values.map((value) => this.row(value)));
    this.filter.hidden = scene.classes.length < FILTER_FROM;
    const offered = scene.panels.filter((panel) => panel.hidden && panel.mask);
    this.proposals.replaceChildren(...offered.map((panel) => el("option", { value: panel.index }, panel.title)));
    this.box.hidden = proposal < 0;
  }

  row(value) {
    const { editor } = this;
    const name = editor.nameOf(value);
    const shortcut = value === editor.scene.ignore ? "v" : value < 9 ? String(value + 1) : "";
    const swatch = el("i", { class: value === editor.scene.ignore ? "swatch hatched" : "swatch" });
    if (value !== editor.scene.ignore) swatch.style.background = classColor(editor.scene, editor.look, value);
    const pick = el("button", { type: "button", class: "name", role: "radio", title: shortcut ? `${name} (${shortcut})` : name, onclick: () => editor.choose(value) }, name);
    const lock = el("button", { type: "button", class: "lock", title: `Protect ${name}: it is not painted over`, "aria-label": `Protect ${name}`, onclick: () => editor.toggleLock(value) }, "protect");
    const node = el("li", { class: "chip" }, swatch, pick, el("small", {}, shortcut), lock);
    this.rows.set(value, { node, pick, lock, name });
    return node;
  }

  applyFilter() {
    const words = this.filter.value.trim().toLowerCase();
    for (const { node, name } of this.rows.values()) node.hidden = !name.toLowerCase().includes(words);
  }

  // Enter takes the first class that is left, Escape none; both lead back to the picture.
  onFilterKey(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    const left = [...this.rows].filter(([, { node }]) => !node.hidden);
    const first = left.find(([, { name }]) => name.toLowerCase() === this.filter.value.trim().toLowerCase()) ?? left[0];
    if (event.key === "Enter" && first) this.editor.choose(first[0]);
    this.filter.value = "";
    this.applyFilter();
    this.rows.get(this.editor.chosen)?.node.scrollIntoView({ block: "nearest" });
    this.editor.canvas.focus({ preventScroll: true });
    event.preventDefault();
  }

  sync() {
    const { editor } = this;
    for (const [value, { node, pick, lock }] of this.rows) {
      pick.setAttribute("aria-checked", String(editor.chosen === value));
      node.classList.toggle("chosen", editor.chosen === value);
      lock.setAttribute("aria-pressed", String(editor.edits.locked.has(value)));
    }
    if (editor.proposal < 0) return;
    this.proposals.value = editor.proposal;
    this.sure.hidden = !editor.scene.panels[editor.proposal].scalar;
    this.thresholdText.textContent = `${this.threshold.value} %`;
    this.all.textContent = `Accept all ${editor.nameOf(editor.chosen)}`;
  }
}
