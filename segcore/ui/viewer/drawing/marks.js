// What is drawn over the picture while one draws: "editor" gives the frame and what the pointer does.

const OUTLINE = [["rgb(0 0 0 / 80%)", 4], ["#ff40a0", 2]]; // what is asked about or proposed: colour, CSS pixels
const WAY = [["rgb(0 0 0 / 70%)", 3], ["#ffffff", 1.5]]; // what the pointer draws
const BORDERS = new WeakMap(); // region of a work list -> its outline

// Lines between pixels of different values, in image pixels; "nothing" lies around the part.
function borderPath({ left, top, width, height, values }, nothing) {
  const path = new Path2D();
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? nothing : values[y * width + x]);
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x < width; x++) {
      const from = x;
      while (x < width && at(x, y) !== at(x, y - 1)) x++;
      if (x === from) continue;
      path.moveTo(left + from, top + y);
      path.lineTo(left + x, top + y);
    }
  }
  for (let x = 0; x <= width; x++) {
    for (let y = 0; y < height; y++) {
      const from = y;
      while (y < height && at(x, y) !== at(x - 1, y)) y++;
      if (y === from) continue;
      path.moveTo(left + x, top + from);
      path.lineTo(left + x, top + y);
    }
  }
  return path;
}

// Draw a path of image pixels; lines are as wide at any zoom.
function strokePath(context, { scale, left, top, ratio }, path, lines) {
  context.save();
  context.setTransform(scale, 0, 0, scale, left, top);
  for (const [color, line] of lines) {
    context.strokeStyle = color;
    context.lineWidth = (line * ratio) / scale;
    context.stroke(path);
  }
  context.restore();
}

// A line around the region that is asked about.
function paintRegion(context, { task, frame, edits, scene }) {
  const region = task?.region;
  if (!region) return;
  if (!BORDERS.has(region)) {
    const [left, top, right, bottom] = edits.box(region.rows.flatMap(([row, from, to]) => [row * scene.width + from, row * scene.width + to - 1]));
    const part = { left, top, width: right - left, height: bottom - top, values: new Uint8Array((right - left) * (bottom - top)) };
    for (const [row, from, to] of region.rows) part.values.fill(1, (row - top) * part.width + from - left, (row - top) * part.width + to - left);
    BORDERS.set(region, borderPath(part, 0));
  }
  strokePath(context, frame, BORDERS.get(region), OUTLINE);
}

// Strokes and clicks that wait for an answer, and what is proposed.
function paintSuggestion(context, { suggestions, frame, scene, look, tool, size, chosen, strokes }) {
  const { offer } = suggestions;
  const { scale, left, top, ratio } = frame;
  if (offer) {
    context.imageSmoothingEnabled = false;
    context.globalAlpha = 0.55;
    context.drawImage(offer.picture, left + offer.left * scale, top + offer.top * scale, offer.width * scale, offer.height * scale);
    context.globalAlpha = 1;
    strokePath(context, frame, offer.path, OUTLINE);
  }
  const drawing = tool === "scribble" && strokes.way ? [{ way: strokes.way, size, value: chosen }] : [];
  for (const stroke of [...suggestions.strokes, ...drawing]) {
    const path = new Path2D();
    stroke.way.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](x, y));
    path.lineTo(...stroke.way.at(-1)); // a dot where there is one point only
    const color = stroke.value === scene.ignore ? "#808080" : classColor(scene, look, stroke.value);
    const wide = (stroke.size * scale) / ratio;
    context.lineCap = context.lineJoin = "round";
    strokePath(context, frame, path, [["rgb(0 0 0 / 80%)", wide + 4], ["#ffffff", wide + 2], [color, wide]]);
  }
  for (const [x, y, label] of suggestions.points) {
    if (label > 1) continue;
    context.beginPath();
    context.arc(left + x * scale, top + y * scale, 5 * ratio, 0, 2 * Math.PI);
    context.fillStyle = label ? "#177233" : "#bd1a1a";
    context.strokeStyle = "#ffffff";
    context.lineWidth = 2 * ratio;
    context.fill();
    context.stroke();
  }
}

// The way of a lasso, the box of a drag, or the corners of a polygon so far.
function paintWay(context, { strokes, tool, cursor, frame }) {
  const { way } = strokes;
  if (!way || SIZED.includes(tool)) return;
  const boxed = tool === "object" || (tool === "cut" && isBox(way));
  const points = boxed ? corners(way) : tool === "polygon" && cursor ? [...way, cursor] : way;
  const path = new Path2D();
  points.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](x, y));
  if (boxed || tool === "polygon") path.closePath();
  strokePath(context, frame, path, WAY);
}

// The brush where the pointer is; a cross for other tools where keys move it.
function paintBrush(context, { cursor, tool, size, frame, byKeys }) {
  if (!cursor) return;
  const { scale, ratio } = frame;
  const path = new Path2D();
  const [x, y] = cursor;
  if (SIZED.includes(tool)) {
    path.arc(x, y, Math.max((1.5 * ratio) / scale, size / 2), 0, 2 * Math.PI);
  } else if (byKeys) {
    const arm = (10 * ratio) / scale;
    for (const [dx, dy] of [[arm, 0], [0, arm]]) {
      path.moveTo(x - dx, y - dy);
      path.lineTo(x + dx, y + dy);
    }
  }
  strokePath(context, frame, path, WAY);
}
