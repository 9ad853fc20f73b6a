// Where everybody looks: one centre and zoom for all pictures. Positions are CSS pixels in a picture.

const GAP = 8; // between pictures
const NARROWEST = 150; // a picture, where there are several columns

// Choose the number of columns that shows the image largest within a width and a height.
// Returns { columns, width, height, scale } of a picture; scale is in CSS pixels an image pixel.
function arrangeGrid(scene, count, width, room) {
  let best = null;
  for (let columns = 1; columns <= count; columns++) {
    const wide = Math.floor((width - GAP * (columns - 1)) / columns);
    if (wide < NARROWEST && columns > 1) break;
    const rows = Math.ceil(count / columns);
    const natural = Math.round((wide * scene.height) / scene.width);
    const high = Math.max(60, Math.min(natural, Math.floor((room - GAP * (rows - 1)) / rows)));
    const scale = Math.min(wide / scene.width, high / scene.height);
    if (best && scale <= best.scale * 1.001) continue;
    best = { columns, width: Math.min(wide, Math.max(NARROWEST, Math.round(scale * scene.width))), height: high, scale };
  }
  return best;
}

// CSS pixels from the top of an element, where the page is not scrolled, to the lower edge of the window.
function freeHeight(node) {
  const main = document.querySelector("[data-testid=stMain]");
  return innerHeight - node.getBoundingClientRect().top - (main?.scrollTop ?? scrollY) - 8;
}

class Camera {
  // "view" is the part of the viewer's state that the camera moves: { x, y, zoom }.
  constructor(view, scene, { width, height, scale }) {
    Object.assign(this, { view, scene, width, height, fitScale: scale });
  }

  get scale() {
    return this.fitScale * this.view.zoom;
  }

  // Deepest zoom: a pixel of the full image is 64 CSS pixels wide.
  get deepest() {
    return clamp((64 * this.scene.detail) / this.fitScale, 8, MAX_ZOOM);
  }

  toImage(x, y) {
    return [this.view.x * this.scene.width + (x - this.width / 2) / this.scale, this.view.y * this.scene.height + (y - this.height / 2) / this.scale];
  }

  fit() {
    Object.assign(this.view, { x: 0.5, y: 0.5, zoom: 1 });
  }

  // The image point at (x, y) stays where it is.
  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const { view, scene } = this;
    const [imageX, imageY] = this.toImage(x, y);
    const before = view.zoom;
    view.zoom = clamp(before * factor, 0.5, this.deepest);
    const kept = before / view.zoom;
    view.x = clamp((imageX + (view.x * scene.width - imageX) * kept) / scene.width, 0, 1);
    view.y = clamp((imageY + (view.y * scene.height - imageY) * kept) / scene.height, 0, 1);
  }

  panBy(dx, dy) {
    this.view.x = clamp(this.view.x - dx / this.scale / this.scene.width, 0, 1);
    this.view.y = clamp(this.view.y - dy / this.scale / this.scene.height, 0, 1);
  }

  // Where the image lies on a canvas, in device pixels; its corner is on a whole pixel.
  frame(ratio) {
    const scale = this.scale * ratio;
    const left = Math.round((this.width * ratio) / 2 - this.view.x * this.scene.width * scale);
    const top = Math.round((this.height * ratio) / 2 - this.view.y * this.scene.height * scale);
    return { scale, left, top, ratio };
  }
}
