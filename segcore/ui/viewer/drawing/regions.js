// Regions of a mask as rows of pixels: what a brush, a polygon or a click covers. A pixel belongs to a region by
// its centre, which lies half a pixel right of and below its corner. "visit" gets (row, first column, column after the last).

// A round brush on its way from one point to another; a dot where both are one.
function strokeRows(width, height, [x0, y0], [x1, y1], diameter, visit) {
  const radius = diameter / 2;
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - radius - 0.5));
  const bottom = Math.min(height, Math.ceil(Math.max(y0, y1) + radius + 0.5));
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - radius - 0.5));
  const right = Math.min(width, Math.ceil(Math.max(x0, x1) + radius + 0.5));
  const covers = (x, y) => {
    const along = length ? clamp((x * dx + y * dy) / length, 0, 1) : 0;
    return (x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius;
  };
  for (let row = top; row < bottom; row++) {
    const y = row + 0.5 - y0;
    let from = left;
    while (from < right && !covers(from + 0.5 - x0, y)) from++;
    let to = right;
    while (to > from && !covers(to - 0.5 - x0, y)) to--;
    if (to > from) visit(row, from, to); // a brush on its way is convex: one run a row
  }
}

// The inside of a polygon by the even-odd rule; it is closed from the last corner to the first.
function polygonRows(width, height, points, visit) {
  const rows = points.map(([, y]) => y);
  const top = Math.max(0, Math.floor(Math.min(...rows) - 0.5));
  const bottom = Math.min(height, Math.ceil(Math.max(...rows) + 0.5));
  for (let row = top; row < bottom; row++) {
    const y = row + 0.5;
    const crossings = [];
    points.forEach(([ax, ay], i) => {
      const [bx, by] = points[(i + 1) % points.length];
      if ((ay <= y) !== (by <= y)) crossings.push(ax + ((y - ay) * (bx - ax)) / (by - ay));
    });
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = clamp(Math.ceil(crossings[i] - 0.5), 0, width);
      const to = clamp(Math.ceil(crossings[i + 1] - 0.5), 0, width);
      if (to > from) visit(row, from, to);
    }
  }
}

// Pixels of one value that hang together with a pixel by their edges.
function connectedRows({ values, width, height }, column, row, visit) {
  const wanted = values[row * width + column];
  const seen = new Uint8Array(values.length);
  const stack = [[column, row]];
  while (stack.length) {
    const [x, y] = stack.pop();
    const start = y * width;
    if (seen[start + x] || values[start + x] !== wanted) continue;
    let from = x;
    while (from > 0 && values[start + from - 1] === wanted && !seen[start + from - 1]) from--;
    let to = x + 1;
    while (to < width && values[start + to] === wanted && !seen[start + to]) to++;
    seen.fill(1, start + from, start + to);
    visit(y, from, to);
    for (const next of [y - 1, y + 1]) {
      if (next < 0 || next >= height) continue;
      let inside = false;
      for (let at = from; at < to; at++) {
        const open = values[next * width + at] === wanted && !seen[next * width + at];
        if (open && !inside) stack.push([at, next]);
        inside = open;
      }
    }
  }
}
