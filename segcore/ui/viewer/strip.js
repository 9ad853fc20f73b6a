// The filmstrip: every image in the chosen order with its score. Only what is in view is in the document.

const ITEM = 118; // CSS pixels from one thumbnail to the next
const MARGIN = 3; // thumbnails drawn beyond the edges

class Strip {
  constructor(root) {
    this.items = new Map(); // place -> element
    this.track = el("div", { class: "track" });
    this.rail = el("div", { class: "rail", role: "listbox", tabindex: 0, "aria-label": "Images in order", "aria-orientation": "horizontal" }, this.track);
    root.replaceChildren(el("style", {}, STYLE), this.rail);
    this.rail.addEventListener("scroll", () => this.draw(), { passive: true });
    this.rail.addEventListener("keydown", (event) => this.onKey(event));
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.rail);
  }

  destroy() {
    this.resizing.disconnect();
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
    this.track.style.width = `${ids.length * ITEM}px`;
    for (const node of this.items.values()) node.remove();
    this.items.clear();
    this.follow();
    this.draw();
  }

  // Bring the shown image into view.
  follow() {
    const place = this.album.places?.get(this.album.current);
    if (place !== undefined) {
      const { scrollLeft, clientWidth } = this.rail;
      const left = place * ITEM;
      if (left < scrollLeft + 0.5 * ITEM || left + 1.5 * ITEM > scrollLeft + clientWidth) this.rail.scrollLeft = left - (clientWidth - ITEM) / 2;
    }
    this.draw();
  }

  draw() {
    const { album, rail, items } = this;
    if (!album?.places || !rail.clientWidth) return;
    const first = Math.max(0, Math.floor(rail.scrollLeft / ITEM) - MARGIN);
    const last = Math.min(album.ids.length, Math.ceil((rail.scrollLeft + rail.clientWidth) / ITEM) + MARGIN);
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
    const caption = el("span", { class: "score" }, `${place + 1}`, el("b", {}, score));
    const node = el("div", { class: "item", role: "option", id: `item-${place}`, title: score ? `${id}\n${this.label} ${score}` : id, "aria-label": `${place + 1}: ${id} ${score}` }, picture, caption);
    node.picture = picture;
    node.style.left = `${place * ITEM}px`;
    node.addEventListener("click", () => album.viewer?.go(id));
    return node;
  }

  score(value) {
    if (value === undefined) return "";
    if (value === null) return "–";
    if (this.form === "points") return `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(100 * value).toFixed(1)}`;
    return `${(100 * value).toFixed(1)} %`;
  }

  onKey(event) {
    const { album } = this;
    const viewer = album?.viewer;
    if (!viewer || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, p: -1, n: 1 };
    if (Object.hasOwn(steps, event.key)) viewer.step(steps[event.key]);
    else if (event.key === "Home") viewer.go(album.ids[0]);
    else if (event.key === "End") viewer.go(album.ids.at(-1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
