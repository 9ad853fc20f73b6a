// The whole view as one PNG: every picture at the image's full size or larger, titles, and the legend.

const MAX_SIDE = 12000; // browsers refuse much larger canvases
const MAX_AREA = 120e6;
const LEAST_WIDTH = 640; // of a panel, so that titles and legend can be read beside small images

// Where the image and the canvas overlap, in CSS pixels: empty margins are not exported.
function visibleBox(viewer) {
  const { frame, camera: size } = viewer;
  const [left, top] = [frame.left / frame.ratio, frame.top / frame.ratio];
  const scale = frame.scale / frame.ratio;
  const right = Math.min(size.width, left + viewer.scene.width * scale);
  const bottom = Math.min(size.height, top + viewer.scene.height * scale);
  const box = [Math.max(0, left), Math.max(0, top), right, bottom];
  return box[2] > box[0] && box[3] > box[1] ? box : [0, 0, size.width, size.height];
}

function drawView(viewer) {
  const { scene, frame, views } = viewer;
  const [left, top, right, bottom] = visibleBox(viewer);
  const columns = Math.min(viewer.columns, views.length);
  const rows = Math.ceil(views.length / columns);
  const cell = { width: right - left, height: bottom - top };
  let grow = Math.max(1, 1 / frame.scale, LEAST_WIDTH / (cell.width * frame.ratio)); // at least one pixel for each image pixel
  grow = Math.min(grow, MAX_SIDE / (columns * cell.width * frame.ratio), MAX_SIDE / (rows * cell.height * frame.ratio));
  grow = Math.max(Math.min(grow, Math.sqrt(MAX_AREA / (columns * rows * cell.width * cell.height)) / frame.ratio), 0.1);
  const ratio = frame.ratio * grow; // output pixels a CSS pixel of the view
  const width = Math.round(cell.width * ratio);
  const height = Math.round(cell.height * ratio);
  const text = Math.round(clamp(width / 32, 13, 64));
  const gap = Math.round(text * 0.8);
  const caption = Math.round(text * 1.9);
  const total = columns * (width + gap) + gap;
  const colors = getComputedStyle(viewer.root);
  const legend = placeLegend(viewer, total - 2 * gap, text);
  const lines = scene.facts.map((line) => `${line}`);
  const head = lines.length ? gap + lines.length * caption : 0;
  const canvas = new OffscreenCanvas(total, head + rows * (height + caption + gap) + legend.height + 2 * gap);
  const context = canvas.getContext("2d");
  context.fillStyle = colors.getPropertyValue("--st-background-color") || "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const ink = colors.getPropertyValue("--st-text-color") || "#000000";
  const font = (weight) => `${weight} ${text}px ${colors.getPropertyValue("--st-font") || "sans-serif"}`;

  const cellFrame = {
    scale: frame.scale * grow,
    left: Math.round((frame.left / frame.ratio - left) * ratio),
    top: Math.round((frame.top / frame.ratio - top) * ratio),
    ratio: Math.max(1, text / 14),
  };
  context.textBaseline = "middle";
  context.fillStyle = ink;
  lines.forEach((line, i) => {
    context.font = font(i ? 400 : 600);
    context.fillText(line, gap, gap + (i + 0.5) * caption, total - 2 * gap);
  });
  views.forEach((view, i) => {
    const x = gap + (i % columns) * (width + gap);
    const y = head + gap + Math.floor(i / columns) * (height + caption + gap);
    const picture = new OffscreenCanvas(width, height);
    viewer.drawPanels(picture.getContext("2d"), cellFrame, view, null);
    context.fillStyle = ink;
    context.font = font(600);
    context.textBaseline = "middle";
    const titles = view.captions.map((one) => [one.panel.title, one.summary(scene, viewer.state)].filter(Boolean).join(": "));
    context.fillText(titles.join("  ⇄  "), x, y + caption / 2, width);
    context.drawImage(picture, x, y + caption);
  });

  const base = canvas.height - legend.height - gap;
  context.font = font(400);
  for (const { x, y, color, name } of legend.entries) {
    context.fillStyle = color;
    context.fillRect(gap + x, base + y + text * 0.35, text, text);
    context.fillStyle = ink;
    context.fillText(name, gap + x + 1.4 * text, base + y + text * 0.9);
  }
  return canvas;
}

// Shown classes in rows that fit a width: [{ x, y, color, name }] and the height they need.
function placeLegend({ scene, state }, width, text) {
  const entries = [];
  let [x, y] = [0, 0];
  for (const [index] of scene.presentClasses.filter(([k]) => isShown(scene, state, k))) {
    const name = scene.classes[index];
    const needs = text * (2.6 + 0.55 * name.length);
    if (x && x + needs > width) [x, y] = [0, y + text * 1.8];
    entries.push({ x, y, color: classColor(scene, state, index), name });
    x += needs;
  }
  return { entries, height: entries.length ? y + text * 1.8 : 0 };
}

async function savePicture(viewer) {
  const blob = await drawView(viewer).convertToBlob({ type: "image/png" });
  const address = URL.createObjectURL(blob);
  const name = viewer.scene.id.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(-80) || "view";
  el("a", { href: address, download: `${name}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
