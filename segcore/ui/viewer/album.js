// What the components of one viewer share across reruns and pages: unpacked scenes, the order of the images, their thumbnails.

const ALBUMS = new Map(); // key of a viewer -> Album
const MAX_COST = 400e6; // bytes, about, of the scenes kept for going back and forth
const MAX_THUMBNAILS = 600;
const ASK_AFTER = 60; // milliseconds a thumbnail is in view before it is asked for
const ASK_AGAIN = 4000; // an answer may be lost when the page runs anew
const ASKED_AT_ONCE = 40;
const PATIENCE = 8000; // milliseconds that the user's own choice of image outranks what the page sends

class Album {
  static of(key) {
    if (!ALBUMS.has(key)) ALBUMS.set(key, new Album());
    return ALBUMS.get(key);
  }

  constructor() {
    this.scenes = new Map(); // context and image -> { promise, cost }; least recently used first
    this.context = ""; // all that decides what is shown, but the image
    this.ids = [];
    this.values = [];
    this.current = null;
    this.asked = 0; // choices made here
    this.askedAt = 0;
    this.thumbnails = new Map(); // address of each picture's blob
    this.missing = new Map(); // image -> when it was asked for
    this.viewer = null;
    this.strip = null;
    this.request = null; // how thumbnails are asked for
  }

  // ---- scenes

  name(image, context = this.context) {
    return `${context}\n${image}`;
  }

  keep(name, promise, bytes) {
    this.scenes.delete(name);
    const entry = { promise, cost: 10 * bytes };
    this.scenes.set(name, entry);
    promise.then((scene) => {
      entry.cost = scene.width * scene.height * (8 + 6 * scene.panels.length);
      this.tidy();
    }, () => this.scenes.delete(name));
  }

  tidy() {
    let total = 0;
    for (const { cost } of this.scenes.values()) total += cost;
    for (const [name, { cost }] of this.scenes) {
      if (total <= MAX_COST || this.scenes.size <= 2) return;
      this.scenes.delete(name);
      total -= cost;
    }
  }

  scene(name) {
    const entry = this.scenes.get(name);
    if (!entry) return null;
    this.scenes.delete(name); // put back last
    this.scenes.set(name, entry);
    return entry.promise;
  }

  // ---- the order of the images

  order(ids, values) {
    this.ids = ids;
    this.values = values;
    this.places = new Map(ids.map((id, place) => [id, place]));
  }

  neighbour(direction) {
    const { length } = this.ids;
    if (length < 2) return null;
    const place = this.places.get(this.current) ?? -1;
    return this.ids[(place + direction + length) % length];
  }

  choose(image) {
    this.current = image;
    this.asked++;
    this.askedAt = performance.now();
    this.strip?.follow();
    return this.asked;
  }

  // Whether what the page sends answers an older choice than the last one.
  outdated(answered) {
    return answered < this.asked && performance.now() - this.askedAt < PATIENCE;
  }

  // ---- thumbnails

  want(images) {
    const now = performance.now();
    const news = images.filter((id) => !this.thumbnails.has(id) && now - (this.missing.get(id) ?? -Infinity) > ASK_AGAIN);
    if (!news.length) return;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      const batch = news.slice(0, ASKED_AT_ONCE);
      for (const id of batch) this.missing.set(id, performance.now());
      this.request?.(batch);
    }, ASK_AFTER);
  }

  receiveThumbnails(source, ids, blobs) {
    if (source !== this.source) {
      for (const address of this.thumbnails.values()) URL.revokeObjectURL(address);
      this.thumbnails.clear();
      this.missing.clear();
      this.source = source;
    }
    ids.forEach((id, i) => {
      if (this.thumbnails.has(id)) return;
      this.thumbnails.set(id, URL.createObjectURL(new Blob([blobs[i]], { type: "image/webp" })));
      this.missing.delete(id);
    });
    while (this.thumbnails.size > MAX_THUMBNAILS) {
      const [id, address] = this.thumbnails.entries().next().value;
      URL.revokeObjectURL(address);
      this.thumbnails.delete(id);
    }
    this.strip?.draw();
  }
}
