// What is drawn over the picture while one draws: "editor" gives the frame and what the pointer does.

// A line around the region that is asked about.
function paintRegion(context, { task, frame }) {
  const region = task?.region;
  if (!region) return;
  const { scale, left, top, ratio } = frame;
  const around = new Path2D();
  const covered = new Map();
  for (const [row, from, to] of region.rows) covered.set(row, [...(covered.get(row) ?? []), [from, to]]);
  const inside = (row, x) => covered.get(row)?.some(([from, to]) => x >= from && x < to);
  for (const [row, from, to] of region.rows) {
    const [y0, y1] = [top + row * scale, top + (row + 1) * scale];
    for (const x of [from, to]) {
      around.moveTo(left + x * scale, y0);
      around.lineTo(left + x * scale, y1);
    }
    for (let x = from; x < to; x++) {
      for (const [other, y] of [[row - 1, y0], [row + 1, y1]]) {
        if (inside(other, x)) continue;
        around.moveTo(left + x * scale, y);
        around.lineTo(left + (x + 1) * scale, y);
      }
    }
  }
  for (const [color, line] of [["rgb(0 0 0 / 80%)", 4], ["#ff40a0", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = line * ratio;
    context.stroke(around);
  }
}

// The way of a lasso, or the corners of a polygon so far.
function paintWay(context, { strokes, tool, cursor, frame }) {
  const { way } = strokes;
  if (!way || BRUSHES.includes(tool)) return;
  const { scale, left, top, ratio } = frame;
  const points = tool === "polygon" && cursor ? [...way, cursor] : way;
  for (const [color, line] of [["rgb(0 0 0 / 70%)", 3], ["#ffffff", 1.5]]) {
    context.strokeStyle = color;
    context.lineWidth = line * ratio;
    context.beginPath();
    points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x * scale + left, y * scale + top));
    if (tool === "polygon") context.closePath();
    context.stroke();
  }
}

// The brush where the pointer is.
function paintBrush(context, { cursor, tool, size, frame }) {
  if (!cursor || !BRUSHES.includes(tool)) return;
  const { scale, left, top, ratio } = frame;
  for (const [color, line] of [["rgb(0 0 0 / 70%)", 3], ["#ffffff", 1.5]]) {
    context.strokeStyle = color;
    context.lineWidth = line * ratio;
    context.beginPath();
    context.arc(cursor[0] * scale + left, cursor[1] * scale + top, Math.max(1.5 * ratio, (size / 2) * scale), 0, 2 * Math.PI);
    context.stroke();
  }
}
