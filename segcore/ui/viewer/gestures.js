// Hands on the pictures: wheel, drag, pinch, keys. Every gesture ends in a call on the viewer.

const KEY_HELP = [
  ["+  −  0", "zoom in, zoom out, fit"],
  ["1", "100 %"],
  ["← ↑ → ↓", "pan"],
  ["Shift + arrows", "move the crosshair by one pixel"],
  ["n  p", "next, previous image"],
  ["o", "fill, outlines, both"],
  ["e", "errors only"],
  ["[  ]", "overlay opacity"],
  ["s  b  g", "swipe, blink, grid"],
  ["Space", "pause or resume blinking"],
  ["f", "full screen"],
  ["?", "this menu"],
  ["wheel", "zoom"],
  ["drag", "pan"],
];

const PAN = 60; // CSS pixels that an arrow key moves the picture
const CLICK_SLOP = 4; // CSS pixels that a click may wander

// What a key does, given the viewer and the event; keys that are not here are left to the page.
const KEYS = {
  "+": (viewer) => viewer.zoomBy(1.5),
  "=": (viewer) => viewer.zoomBy(1.5),
  "-": (viewer) => viewer.zoomBy(1 / 1.5),
  0: (viewer) => viewer.fit(),
  1: (viewer) => viewer.zoomToPixels(),
  n: (viewer) => viewer.step(1),
  p: (viewer) => viewer.step(-1),
  o: (viewer) => viewer.cycleFill(),
  e: (viewer) => viewer.change({ errors: !viewer.state.errors }),
  "[": (viewer) => viewer.change({ opacity: clamp(viewer.state.opacity - 0.1, 0, 1) }),
  "]": (viewer) => viewer.change({ opacity: clamp(viewer.state.opacity + 0.1, 0, 1) }),
  s: (viewer) => viewer.setMode("swipe"),
  b: (viewer) => viewer.setMode("blink"),
  g: (viewer) => viewer.setMode("grid"),
  f: (viewer) => viewer.toggleFullScreen(),
  "?": (viewer) => viewer.toolbar.toggleMenu(),
};

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onKey(viewer, event) {
  const target = event.composedPath()[0];
  event.stopPropagation(); // the app around us has single-letter shortcuts of its own
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("input, select, textarea")) return;
  const onPicture = target.matches("canvas");
  const arrow = ARROWS[event.key];
  if (arrow && onPicture) {
    if (event.shiftKey) viewer.moveCursor(...arrow);
    else viewer.panBy(-PAN * arrow[0], -PAN * arrow[1]);
  } else if (event.key === " " && onPicture) {
    viewer.holdBlink();
  } else if (Object.hasOwn(KEYS, event.key)) {
    KEYS[event.key](viewer);
  } else {
    return;
  }
  event.preventDefault();
}

// How far a wheel was turned, in steps of about a pixel of scrolling; some mice send lines.
const wheelSteps = (event) => clamp((event.deltaY || event.deltaX) * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1), -60, 60);

// Factor of zoom for a turn of the wheel; a pinch on a touchpad comes as small steps with Ctrl.
const wheelZoom = (event) => {
  const steps = wheelSteps(event);
  return Math.exp(-steps * (event.ctrlKey && Math.abs(steps) < 30 ? 0.012 : 0.004));
};

// Make one canvas listen.
function bindPicture(viewer, canvas) {
  let drag = null;
  const at = (event) => [event.offsetX, event.offsetY];

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    viewer.zoomBy(wheelZoom(event), ...at(event));
  }, { passive: false });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || (event.pointerType === "touch" && !event.isPrimary)) return;
    canvas.focus({ preventScroll: true });
    const pans = event.pointerType !== "touch" || viewer.state.view.zoom > 1;
    drag = { from: at(event), last: at(event), moved: false, pans };
    if (pans) canvas.setPointerCapture(event.pointerId);
    viewer.pointAt(...at(event));
  });

  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (drag && !viewer.pinching) {
      drag.moved ||= Math.hypot(x - drag.from[0], y - drag.from[1]) > CLICK_SLOP;
      if (drag.moved && drag.pans) {
        canvas.classList.add("dragging");
        viewer.panBy(x - drag.last[0], y - drag.last[1]);
        drag.last = [x, y];
      }
    }
    viewer.pointAt(x, y);
  });

  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) viewer.pick(...at(event));
    drag = null;
    canvas.classList.remove("dragging");
  });
  canvas.addEventListener("pointercancel", () => {
    drag = null;
    canvas.classList.remove("dragging");
  });
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && viewer.pointAway());
  canvas.addEventListener("dblclick", (event) => viewer.zoomBy(event.shiftKey ? 0.5 : 2, ...at(event)));
  bindPinch(viewer, canvas);
}

// Two fingers zoom and move; one finger is left to the page until the picture is zoomed in.
function bindPinch(viewer, canvas) {
  let last = null;
  const read = (event) => {
    const box = canvas.getBoundingClientRect();
    const [a, b] = [...event.touches].map((touch) => [touch.clientX - box.left, touch.clientY - box.top]);
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, spread: Math.hypot(a[0] - b[0], a[1] - b[1]) || 1 };
  };
  const follow = (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const now = read(event);
    if (last) {
      viewer.panBy(now.x - last.x, now.y - last.y);
      viewer.zoomBy(now.spread / last.spread, now.x, now.y);
    }
    last = now;
    viewer.pinching = true;
  };
  const end = (event) => {
    if (event.touches.length >= 2) return;
    last = null;
    viewer.pinching = event.touches.length > 0 && viewer.pinching; // the finger that stays does not drag
  };
  canvas.addEventListener("touchstart", follow, { passive: false });
  canvas.addEventListener("touchmove", follow, { passive: false });
  canvas.addEventListener("touchend", end);
  canvas.addEventListener("touchcancel", end);
}

// The bar between two compared pictures: drag it, or focus it and use the arrow keys.
function bindDivider(viewer, divider, canvas) {
  const move = (event) => {
    const box = canvas.getBoundingClientRect();
    viewer.change({ split: clamp((event.clientX - box.left) / box.width, 0, 1) });
  };
  divider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    divider.focus();
    divider.setPointerCapture(event.pointerId);
    divider.addEventListener("pointermove", move);
  });
  const end = () => divider.removeEventListener("pointermove", move);
  divider.addEventListener("pointerup", end);
  divider.addEventListener("pointercancel", end);
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    viewer.change({ split: clamp(viewer.state.split + step, 0, 1) });
  });
}
