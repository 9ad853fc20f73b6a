// The filmstrip: every image in the chosen order with its score. Only what is in view is in the document.

const ACROSS = 118; // CSS pixels from one thumbnail to the next in a row
const DOWN = 106; // and in a column
const MARGIN = 3; // thumbnails drawn beyond the edges

class Strip {
  constructor(root) {
    this.items = new Map(); // place -> element
    this.track = el("div", { class: "track" });
    this.rail = el("div", { class: "rail", role: "listbox", tabindex: 0, "aria-label": "Images in order" }, this.track);
    this.what = el("div", { class: "what" });
    this.root = root;
    root.replaceChildren(el("style", {}, STYLE), this.what, this.rail);
    this.rail.addEventListener("scroll", () => this.draw(), { passive: true });
    this.rail.addEventListener("keydown", (event) => this.onKey(event));
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.rail);
    this.onWindow = () => this.fit();
    addEventListener("resize", this.onWindow);
  }

  destroy() {
    this.resizing.disconnect();
    removeEventListener("resize", this.onWindow);
    if (this.album?.strip === this) this.album.strip = null;
  }

  async receive({ data }) {
    const [header, body] = splitHeader(data);
    const { ids, values } = JSON.parse(new TextDecoder().decode(await inflate(body)));
    this.album = Album.of(header.viewer);
    this.album.strip = this;
    this.album.order(ids, values);
    this.form = header.form;
    this.label = header.label;
    this.upright = header.upright;
    this.root.classList.toggle("upright", this.upright);
    this.rail.setAttribute("aria-orientation", this.upright ? "vertical" : "horizontal");
    this.track.style[this.upright ? "height" : "width"] = `${ids.length * this.pitch}px`;
    this.what.textContent = values && this.upright ? this.label : "";
    this.what.title = header.note;
    for (const node of this.items.values()) node.remove();
    this.items.clear();
    this.follow();
    this.fit();
  }

  get pitch() {
    return this.upright ? DOWN : ACROSS;
  }

  // A column is as high as the window leaves room for.
  fit() {
    this.rail.style.height = this.upright ? `${Math.max(240, freeHeight(this.rail))}px` : "";
    this.draw();
  }

  // What lies in view along the strip: [start, length] in CSS pixels.
  get window() {
    const { rail, upright } = this;
    return upright ? [rail.scrollTop, rail.clientHeight] : [rail.scrollLeft, rail.clientWidth];
  }

  // Bring the shown image into view.
  follow() {
    const place = this.album.places?.get(this.album.current);
    if (place !== undefined) {
      const { pitch, upright } = this;
      const [start, length] = this.window;
      const at = place * pitch;
      const outside = at < start + 0.5 * pitch || at + 1.5 * pitch > start + length;
      if (outside) this.rail[upright ? "scrollTop" : "scrollLeft"] = at - (length - pitch) / 2;
    }
    this.draw();
  }

  draw() {
    const { album, rail, items } = this;
    if (!album?.places || !rail.clientWidth) return;
    const [start, length] = this.window;
    const first = Math.max(0, Math.floor(start / this.pitch) - MARGIN);
    const last = Math.min(album.ids.length, Math.ceil((start + length) / this.pitch) + MARGIN);
    for (const [place, node] of items) {
      if (place >= first && place < last) continue;
      node.remove();
      items.delete(place);
    }
    for (let place = first; place < last; place++) {
      if (!items.has(place)) {
        items.set(place, this.item(place));
        this.track.append(items.get(place));
      }
      const node = items.get(place);
      const id = album.ids[place];
      const address = album.thumbnails.get(id);
      if (address && node.picture.getAttribute("src") !== address) node.picture.src = address;
      node.setAttribute("aria-selected", String(id === album.current));
      if (id === album.current) rail.setAttribute("aria-activedescendant", node.id);
    }
    album.want(album.ids.slice(first, last));
  }

  item(place) {
    const { album } = this;
    const id = album.ids[place];
    const score = this.score(album.values?.[place]);
    const picture = el("img", { alt: "", draggable: "false" });
    const caption = el("span", { class: "score" }, `${place + 1} `, el("b", {}, score));
    const node = el("div", { class: "item", role: "option", id: `item-${place}`, title: score ? `${id}\n${this.label} ${score}` : id, "aria-label": `${place + 1} ${score} ${id}` }, picture, caption);
    node.picture = picture;
    node.style[this.upright ? "top" : "left"] = `${place * this.pitch}px`;
    node.addEventListener("click", () => album.viewer?.go(id));
    return node;
  }

  score(value) {
    if (value === undefined) return "";
    if (value === null) return "–";
    if (this.form === "points") return `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(100 * value).toFixed(1)}`;
    return percent(value);
  }

  onKey(event) {
    const { album } = this;
    const viewer = album?.viewer;
    if (!viewer || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, p: -1, n: 1 };
    if (Object.hasOwn(steps, event.key)) viewer.step(steps[event.key]);
    else if (event.key === "Home") viewer.go(album.ids[0]);
    else if (event.key === "End") viewer.go(album.ids.at(-1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
