// A scene as it came over the wire, unpacked: the image, the index planes and the classes.

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// "u32 length, JSON, rest" -> [parsed JSON, rest]
function splitHeader(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return [JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))), bytes.subarray(4 + length)];
}

// A plane of numbers at full size and, made when first asked for, at half, a quarter and so on.
class Pyramid {
  constructor(values, width, height) {
    this.levels = [{ values, width, height }];
  }

  get width() {
    return this.levels[0].width;
  }

  get height() {
    return this.levels[0].height;
  }

  level(number) {
    while (this.levels.length <= number) this.levels.push(halvePlane(this.levels.at(-1)));
    return this.levels[number];
  }

  // Numbers within the box [left, top, right, bottom] of the full size were changed: the smaller sizes follow.
  refresh(box) {
    this.boxes = undefined;
    let [left, top, right, bottom] = box;
    for (let number = 1; number < this.levels.length; number++) {
      [left, top, right, bottom] = [left >> 1, top >> 1, (right + 1) >> 1, (bottom + 1) >> 1];
      halveInto(this.levels[number], this.levels[number - 1], [left, top, right, bottom]);
    }
    this.onRefresh?.(box);
  }
}

// Halve a plane of indices: each 2 x 2 block votes. A tie goes to either side in turn, so that thin things
// thin out but do not vanish, and shares of area are kept on the whole.
function halvePlane(fine) {
  const [width, height] = [Math.ceil(fine.width / 2), Math.ceil(fine.height / 2)];
  const coarse = { values: new fine.values.constructor(width * height), width, height };
  halveInto(coarse, fine, [0, 0, width, height]);
  return coarse;
}

// Fill the box [left, top, right, bottom] of the coarse plane.
function halveInto(coarse, { values, width, height }, [boxLeft, boxTop, boxRight, boxBottom]) {
  const out = coarse.values;
  for (let y = boxTop; y < boxBottom; y++) {
    const top = 2 * y * width;
    const bottom = Math.min(2 * y + 1, height - 1) * width;
    for (let x = boxLeft, i = y * coarse.width + boxLeft; x < boxRight; x++, i++) {
      const left = 2 * x;
      const right = left + 1 < width ? left + 1 : left;
      const a = values[top + left];
      const b = values[top + right];
      const c = values[bottom + left];
      const d = values[bottom + right];
      const odd = (x + y) & 1;
      if (a === b) out[i] = c === d && odd ? c : a;
      else if (a === c) out[i] = b === d && odd ? b : a;
      else if (a === d) out[i] = b === c && odd ? b : a;
      else if (b === c || b === d) out[i] = b;
      else if (c === d) out[i] = c;
      else out[i] = odd ? d : a;
    }
  }
}

class Scene {
  // Returns a promise of a scene; planes that panels share are inflated once.
  static async unpack(bytes) {
    const [header, body] = splitHeader(bytes);
    const scene = Object.assign(new Scene(), header);
    const planes = new Map();
    const blob = (index) => body.subarray(header.blobs[index][0], header.blobs[index][0] + header.blobs[index][1]);
    const plane = (index, width, height, Type) => {
      if (!planes.has(index)) {
        planes.set(index, inflate(blob(index)).then((buffer) => {
          const values = new Type(buffer);
          for (let i = width; i < values.length; i++) values[i] += values[i - width]; // rows are differences
          return new Pyramid(values, width, height);
        }));
      }
      return planes.get(index);
    };
    const Index = header.ignore > 255 ? Uint16Array : Uint8Array;
    const grid = (entry, Type) => plane(entry.blob, entry.width, entry.height, Type);
    scene.panels = await Promise.all(header.panels.map(async (entry, index) => ({
      index,
      title: entry.title,
      kind: entry.kind,
      hidden: Boolean(entry.hidden), // sent only to be held against
      versus: entry.versus ?? header.truth,
      counts: new Map(entry.counts ?? []),
      mask: entry.mask === undefined ? null : await plane(entry.mask, header.width, header.height, Index),
      scalar: entry.scalar === undefined ? null : await grid(entry.scalar, Uint8Array),
      top: await Promise.all((entry.top ?? []).map(async (rank) => ({
        labels: await grid(rank.labels, Index),
        scalar: await grid(rank.scalar, Uint8Array),
      }))),
    })));
    scene.imageLevels = [await createImageBitmap(new Blob([blob(header.image)], { type: "image/jpeg" }))];
    scene.matches = new Map();
    scene.detail = 1; // pixels of the full image that one of these stands for, where tiles show them
    return scene;
  }

  // The image at 1 / 2^number of its size; smooth averages, made when first asked for.
  imageLevel(number) {
    while (this.imageLevels.length <= number) {
      const last = this.imageLevels.at(-1);
      const half = new OffscreenCanvas(Math.ceil(last.width / 2), Math.ceil(last.height / 2));
      const context = half.getContext("2d");
      context.drawImage(last, 0, 0, last.width / 2, last.height / 2);
      this.imageLevels.push(half);
    }
    return this.imageLevels[number];
  }

  get shown() {
    return this.panels.filter((panel) => !panel.hidden);
  }

  get truthPanel() {
    return this.truth === null ? null : this.panels[this.truth];
  }

  // What a plane holds at an image pixel; a coarser plane answers for the cell that the pixel lies in.
  at(plane, x, y) {
    const column = Math.floor((x * plane.width) / this.width);
    const row = Math.floor((y * plane.height) / this.height);
    return plane.levels[0].values[row * plane.width + column];
  }

  // Classes that occur in any mask, biggest first by the truth (or else the first mask): [[index, share]]. Labels that only
  // some panels have are measured by what those are held against.
  get presentClasses() {
    const first = this.truthPanel ?? this.panels.find((panel) => panel.mask);
    const others = this.panels.filter((panel) => panel.mask && panel.versus === panel.index);
    const reference = new Map([...others, ...(first ? [first] : [])].flatMap((panel) => [...panel.counts]));
    const pixels = this.width * this.height;
    const present = new Set(this.panels.flatMap((panel) => [...panel.counts.keys()]));
    present.delete(this.ignore);
    const rows = [...present].map((index) => [index, (reference.get(index) ?? 0) / pixels]);
    return rows.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  }

  // A working pixel as a pixel of the full image (they differ where a huge image is shown reduced).
  toFull(x, y) {
    return [Math.floor((x * this.full[0]) / this.width), Math.floor((y * this.full[1]) / this.height)];
  }

  // Whether a panel's mask has another to be held against.
  comparable(panel) {
    const reference = panel.versus === null ? null : this.panels[panel.versus];
    return Boolean(panel.mask && reference?.mask && panel !== reference);
  }

  // What a panel shows at a pixel. right is null where there is nothing to judge; share is null without a scalar.
  probe(panel, x, y) {
    const fact = { title: panel.title, index: null, name: null, isVoid: false, share: null, right: null, top: [] };
    if (panel.scalar) fact.share = this.at(panel.scalar, x, y) / (SCALAR_LEVELS - 1);
    fact.top = panel.top.map((rank) => [this.classes[this.at(rank.labels, x, y)] ?? "", this.at(rank.scalar, x, y) / (SCALAR_LEVELS - 1)]);
    if (!panel.mask) return fact;
    fact.index = this.at(panel.mask, x, y);
    fact.isVoid = fact.index === this.ignore;
    fact.name = fact.isVoid ? "ignored" : this.classes[fact.index];
    if (!this.comparable(panel)) return fact;
    const truth = this.at(this.panels[showsChanges(panel) && this.truth !== null ? this.truth : panel.versus].mask, x, y);
    fact.right = truth === this.ignore ? null : truth === fact.index;
    return fact;
  }

  // Pixels where a panel's mask meets what it is held against: hits, extras and misses by class, void left out.
  match(panel) {
    if (!this.comparable(panel)) return null;
    if (!this.matches.has(panel.index)) {
      const classes = this.classes.length;
      const [hit, extra, missed] = [0, 0, 0].map(() => new Float64Array(classes + 1));
      const shown = panel.mask.levels[0].values;
      const right = this.panels[panel.versus].mask.levels[0].values;
      let valid = 0;
      let agreed = 0;
      for (let i = 0; i < right.length; i++) {
        const t = right[i];
        if (t === this.ignore) continue;
        const p = shown[i] === this.ignore ? classes : shown[i];
        valid++;
        if (p === t) {
          agreed++;
          hit[t]++;
        } else {
          extra[p]++;
          missed[t]++;
        }
      }
      this.matches.set(panel.index, { hit, extra, missed, accuracy: valid ? agreed / valid : null });
    }
    return this.matches.get(panel.index);
  }

  iou(panel, index) {
    const match = this.match(panel);
    if (!match) return null;
    const union = match.hit[index] + match.extra[index] + match.missed[index];
    return union ? match.hit[index] / union : null;
  }

  // Smallest box [left, top, right, bottom] (image pixels, right and bottom outside) around a class, or null.
  box(plane, index) {
    plane.boxes ??= new Map();
    if (!plane.boxes.has(index)) {
      let number = 0;
      while (plane.width * plane.height > 1_500_000 * 4 ** number) number++;
      const { values, width, height } = plane.level(number);
      let [left, top, right, bottom] = [width, height, 0, 0];
      for (let y = 0, i = 0; y < height; y++) {
        for (let x = 0; x < width; x++, i++) {
          if (values[i] !== index) continue;
          left = Math.min(left, x);
          right = Math.max(right, x + 1);
          top = Math.min(top, y);
          bottom = y + 1;
        }
      }
      plane.boxes.set(index, right ? [left, top, right, bottom].map((value) => value * 2 ** number) : null);
    }
    return plane.boxes.get(index);
  }
}
