// Draws one panel into one canvas. A frame says where the image lies in it:
// { scale: device pixels an image pixel, left, top: device pixels of the image's corner, ratio: device pixels a CSS pixel }

const CRISP = 2; // from this scale on, image pixels are drawn as squares
const FINE_OUTLINES = 2.5; // from this scale on, outlines are lines of constant width, not rows of pixels
const KEPT_HATCH = 4e6; // pixels of a canvas whose hatching is kept for the next repaint

// The level of detail whose pixels are about as big as the screen's, never coarser.
const levelFor = (scale, plane) => {
  const number = Math.max(0, Math.floor(Math.log2(1 / scale)));
  return Math.min(number, Math.floor(Math.log2(Math.max(1, Math.min(plane.width, plane.height)))));
};

class Painter {
  constructor(scene) {
    this.scene = scene;
    this.wardrobe = new Wardrobe(scene);
    this.patterns = new Map();
  }

  // Returns nothing; "spot" is the class being looked for, or null.
  paint(context, frame, panel, state, spot) {
    this.paintImage(context, frame);
    const chosen = this.wardrobe.choose(panel, state, spot);
    if (!chosen) {
      if (spot !== null) this.paintRing(context, frame, this.scene.truthPanel?.mask, spot);
      return;
    }
    const fill = chosen.plain ? "fill" : state.fill;
    const opacity = spot !== null && !isHeat(panel) ? 1 : chosen.judged ? 0.5 + 0.5 * state.opacity : state.opacity; // faint errors help nobody
    if (fill !== "outline") this.paintLayer(context, frame, chosen.layer, opacity);
    if (fill !== "fill") this.paintOutlines(context, frame, chosen.layer);
    if (spot !== null) this.paintRing(context, frame, panel.mask, spot);
  }

  paintImage(context, frame) {
    const number = levelFor(frame.scale, this.scene);
    const image = this.scene.imageLevel(number);
    const scale = frame.scale * 2 ** number;
    context.setTransform(scale, 0, 0, scale, frame.left, frame.top);
    context.imageSmoothingEnabled = frame.scale < CRISP;
    const [width, height] = [this.scene.width / 2 ** number, this.scene.height / 2 ** number];
    context.drawImage(image, 0, 0, width, height, 0, 0, width, height);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  // Calls visit(tile, x, y, width, height) with the device rectangle of every tile in view; edges are whole
  // pixels, so that neighbours meet without a seam.
  eachTile(context, frame, layer, outlined, visit) {
    const { plane } = layer;
    const across = (frame.scale * this.scene.width) / plane.width; // device pixels a plane pixel
    const down = (frame.scale * this.scene.height) / plane.height;
    const number = levelFor(Math.min(across, down), plane);
    const level = plane.level(number);
    const stepX = across * TILE * 2 ** number;
    const stepY = down * TILE * 2 ** number;
    const { width, height } = context.canvas;
    const columns = [Math.max(0, Math.floor(-frame.left / stepX)), Math.min(Math.ceil(level.width / TILE), Math.ceil((width - frame.left) / stepX))];
    const rows = [Math.max(0, Math.floor(-frame.top / stepY)), Math.min(Math.ceil(level.height / TILE), Math.ceil((height - frame.top) / stepY))];
    context.imageSmoothingEnabled = Math.min(across, down) * 2 ** number < 1 || (plane.width < this.scene.width && layer.signature === "heat");
    for (let row = rows[0]; row < rows[1]; row++) {
      for (let column = columns[0]; column < columns[1]; column++) {
        const tile = layer.tile(number, column, row, outlined);
        const x = Math.round(frame.left + column * stepX);
        const y = Math.round(frame.top + row * stepY);
        const right = Math.round(frame.left + (column + tile.width / TILE) * stepX);
        const bottom = Math.round(frame.top + (row + tile.height / TILE) * stepY);
        visit(tile, x, y, right - x, bottom - y);
      }
    }
  }

  paintLayer(context, frame, layer, opacity, outlined = false) {
    const hatched = new Set();
    context.globalAlpha = opacity;
    this.eachTile(context, frame, layer, outlined, (tile, x, y, width, height) => {
      context.drawImage(tile.canvas, x, y, width, height);
      for (const { kind } of tile.hatched) hatched.add(kind);
    });
    context.globalAlpha = 1;
    for (const kind of hatched) this.paintHatch(context, frame, layer, kind);
  }

  // Lines of constant width on screen, wherever the layer's pixels are of this kind; painted once for a place and zoom.
  paintHatch(context, frame, layer, kind) {
    const { width, height } = context.canvas;
    const key = [frame.scale, frame.left, frame.top, frame.ratio, width, height, layer.hatchVersion].join(" ");
    let picture = layer.hatchPictures.get(kind);
    if (picture?.key !== key) {
      const fits = picture?.canvas.width === width && picture.canvas.height === height;
      picture = { key, canvas: fits ? picture.canvas : new OffscreenCanvas(width, height) };
      picture.box = this.drawHatch(picture.canvas, frame, layer, kind);
      if (width * height <= KEPT_HATCH) layer.hatchPictures.set(kind, picture); // an export's is not needed again
    }
    if (picture.box) context.drawImage(picture.canvas, ...picture.box, ...picture.box);
  }

  // Draws the hatching into a canvas; returns [left, top, width, height] of what it may have touched, or null.
  drawHatch(canvas, frame, layer, kind) {
    const { width, height } = canvas;
    const scratch = canvas.getContext("2d");
    scratch.globalCompositeOperation = "source-over";
    scratch.clearRect(0, 0, width, height);
    let box = [width, height, 0, 0];
    this.eachTile(scratch, frame, layer, false, (tile, x, y, wide, high) => {
      const plane = tile.hatched.find((entry) => entry.kind === kind);
      if (!plane) return;
      const [across, down] = [wide / tile.width, high / tile.height];
      const part = [
        Math.floor(x + plane.box[0] * across) - 1,
        Math.floor(y + plane.box[1] * down) - 1,
        Math.ceil(x + plane.box[2] * across) + 1,
        Math.ceil(y + plane.box[3] * down) + 1,
      ];
      scratch.save();
      scratch.beginPath();
      scratch.rect(part[0], part[1], part[2] - part[0], part[3] - part[1]);
      scratch.clip(); // most hatched places are small
      scratch.drawImage(plane.canvas, x, y, wide, high);
      scratch.restore();
      box = [Math.min(box[0], part[0]), Math.min(box[1], part[1]), Math.max(box[2], part[2]), Math.max(box[3], part[3])];
    });
    const left = Math.max(0, box[0]);
    const top = Math.max(0, box[1]);
    const wide = Math.min(width, box[2]) - left;
    const high = Math.min(height, box[3]) - top;
    if (wide <= 0 || high <= 0) return null;
    const pattern = this.pattern(kind, frame.ratio);
    pattern.setTransform(new DOMMatrix().translate(frame.left, frame.top)); // it moves with the image
    scratch.globalCompositeOperation = "source-in";
    scratch.fillStyle = pattern;
    scratch.fillRect(left, top, wide, high);
    return [left, top, wide, high];
  }

  pattern(kind, ratio) {
    const key = `${kind} ${ratio}`;
    if (!this.patterns.has(key)) this.patterns.set(key, new OffscreenCanvas(1, 1).getContext("2d").createPattern(hatchTile(kind, ratio), "repeat"));
    return this.patterns.get(key);
  }

  paintOutlines(context, frame, layer) {
    if (frame.scale < FINE_OUTLINES || layer.plane.width !== this.scene.width) this.paintLayer(context, frame, layer, 1, true);
    else paintFineOutlines(context, frame, layer);
  }

  // A ring around a small class, so that a handful of pixels is found at a glance.
  paintRing(context, frame, mask, spot) {
    const box = mask && this.scene.box(mask, spot);
    if (!box) return;
    const margin = 6 * frame.ratio;
    const [left, top, right, bottom] = box.map((value, i) => value * frame.scale + (i % 2 ? frame.top : frame.left));
    if ((right - left) * (bottom - top) > 0.12 * context.canvas.width * context.canvas.height) return;
    for (const [color, line] of [["rgb(0 0 0 / 70%)", 4], ["#ffffff", 2]]) {
      context.strokeStyle = color;
      context.lineWidth = line * frame.ratio;
      context.beginPath();
      context.roundRect(left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin, 8 * frame.ratio);
      context.stroke();
    }
  }
}

// Lines just inside every region's border, each in the region's colour, as wide at any zoom.
function paintFineOutlines(context, frame, layer) {
  const { values, width, height } = layer.plane.levels[0];
  const { colors } = layer;
  const { scale, left, top } = frame;
  const line = Math.max(1, Math.round(1.5 * frame.ratio));
  const columns = [Math.max(0, Math.floor(-left / scale)), Math.min(width, Math.ceil((context.canvas.width - left) / scale))];
  const rows = [Math.max(0, Math.floor(-top / scale)), Math.min(height, Math.ceil((context.canvas.height - top) / scale))];
  const strokes = new Map(); // colour -> [x, y, width, height, ...]
  const add = (value, ...rectangle) => {
    if (!strokes.has(value)) strokes.set(value, []);
    strokes.get(value).push(...rectangle);
  };
  for (let y = rows[0]; y < rows[1]; y++) {
    const y0 = Math.round(top + y * scale);
    const y1 = Math.round(top + (y + 1) * scale);
    for (let x = columns[0], i = y * width + columns[0]; x < columns[1]; x++, i++) {
      const value = values[i];
      if (!colors[value]) continue;
      const up = y > 0 && values[i - width] !== value;
      const down = y + 1 < height && values[i + width] !== value;
      const before = x > 0 && values[i - 1] !== value;
      const after = x + 1 < width && values[i + 1] !== value;
      if (!(up || down || before || after)) continue;
      const x0 = Math.round(left + x * scale);
      const x1 = Math.round(left + (x + 1) * scale);
      if (up) add(value, x0, y0, x1 - x0, line);
      if (down) add(value, x0, y1 - line, x1 - x0, line);
      if (before) add(value, x0, y0, line, y1 - y0);
      if (after) add(value, x1 - line, y0, line, y1 - y0);
    }
  }
  for (const [value, rectangles] of strokes) {
    context.fillStyle = cssColor(colors[value]);
    for (let i = 0; i < rectangles.length; i += 4) context.fillRect(rectangles[i], rectangles[i + 1], rectangles[i + 2], rectangles[i + 3]);
  }
}

// A square that repeats: a dark and a light line side by side, seen on any picture. Void and invented lean
// one way (void wider apart), missed the other; groups of classes wide apart, higher ones both ways.
function hatchTile(kind, ratio) {
  const size = Math.round((kind === HATCH.void ? 9 : kind >= HATCH.group ? 8 : 6) * ratio);
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  const ways = kind === HATCH.high ? [true, false] : [kind === HATCH.missed || kind === HATCH.group];
  for (const flip of ways) strokeHatch(context, size, ratio, flip);
  return canvas;
}

function strokeHatch(context, size, ratio, flip) {
  for (const [color, shift] of [["rgb(0 0 0 / 60%)", 0], ["rgb(255 255 255 / 60%)", ratio]]) {
    context.strokeStyle = color;
    context.lineWidth = ratio;
    context.beginPath();
    for (const offset of [-size, 0, size]) {
      const [from, to] = [offset + shift, offset + shift + size];
      context.moveTo(flip ? from - size : to + size, -size);
      context.lineTo(flip ? to + size : from - size, 2 * size);
    }
    context.stroke();
  }
}
