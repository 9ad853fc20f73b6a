// Hands on the editor: pointer, wheel and keys.

const EDITOR_HELP = [
  ["1 … 9", "choose a class"],
  ["/", "find a class by its name, where there are many"],
  ["v", "choose ignored"],
  ["x", "the class chosen before"],
  ["[  ]", "smaller, larger brush"],
  ["Shift + wheel", "brush size"],
  ["wheel  +  −  0", "zoom, fit"],
  ["Space + drag", "pan (or the right button, or arrows)"],
  ["Shift + arrows", "move the pointer"],
  ["d", "put the tool down where the pointer is, or lift it"],
  ["Enter", "close a polygon, spread strokes, accept a proposal"],
  ["Esc", "drop the proposal, then the strokes"],
  ["p", "hold: show the proposal"],
  ["o", "fill, outlines, both"],
  ["two fingers", "zoom and pan"],
  ["Ctrl + Z", "undo"],
  ["Ctrl + Shift + Z", "redo"],
  ["Ctrl + S", "save"],
];

const TASK_HELP = [
  ["Enter", "accept the suggested class"],
  ["k", "keep the label: never ask again"],
  ["n", "skip for now"],
  ["Backspace", "back to the region before"],
];

const EDITOR_KEYS = {
  "[": (editor) => editor.setSize(editor.size / 1.25 - 0.5),
  "]": (editor) => editor.setSize(editor.size * 1.25 + 0.5),
  "+": (editor) => editor.zoomBy(1.5),
  "=": (editor) => editor.zoomBy(1.5),
  "-": (editor) => editor.zoomBy(1 / 1.5),
  0: (editor) => editor.fit(),
  o: (editor) => editor.cycleFill(),
  p: (editor) => editor.peek(true),
  v: (editor) => editor.choose(editor.scene.ignore),
  x: (editor) => editor.choose(editor.last),
  z: (editor) => editor.undo(),
  Enter: (editor) => {
    if (editor.strokes.busy) editor.strokes.close();
    else if (!editor.suggestions.enter()) editor.decide("accepted");
  },
  d: (editor) => editor.pen(),
  "/": (editor) => editor.side.filter.focus(),
  k: (editor) => editor.decide("kept"),
  n: (editor) => editor.decide("skipped"),
  Backspace: (editor) => editor.back(),
  Escape: (editor) => (editor.strokes.busy ? editor.strokes.cancel() : editor.suggestions.escape()),
  "?": (editor) => editor.bar.toggleHelp(),
};
for (const [name, { key }] of Object.entries(TOOLS)) EDITOR_KEYS[key] = (editor) => editor.setTool(name);
for (let digit = 1; digit <= 9; digit++) EDITOR_KEYS[digit] = (editor) => digit <= editor.scene.classes.length && editor.choose(digit - 1);

function onEditorKey(editor, event) {
  event.stopPropagation(); // the app around us has single-letter shortcuts of its own
  const target = event.composedPath()[0];
  if (!editor.scene || target.matches("input[type=search], input[type=text], select, textarea")) return;
  const arrow = ARROWS[event.key];
  const letter = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (letter === "z" && event.shiftKey) editor.redo();
    else if (letter === "z") editor.undo();
    else if (letter === "y") editor.redo();
    else if (letter === "s") editor.save();
    else return;
  } else if (event.altKey) {
    return;
  } else if (arrow && event.shiftKey && target.matches("canvas")) {
    editor.moveCursor(...arrow);
  } else if (arrow && target.matches("canvas")) {
    editor.panBy(-PAN * arrow[0], -PAN * arrow[1]);
  } else if (event.key === " " && target.matches("canvas")) {
    editor.panning = true;
  } else if (Object.hasOwn(EDITOR_KEYS, event.key) && !(event.key === "Enter" && target.matches("button"))) {
    EDITOR_KEYS[event.key](editor);
    editor.repaint();
  } else {
    return;
  }
  event.preventDefault();
}

function bindEditor(editor, canvas) {
  const at = (event) => [event.offsetX, event.offsetY];
  let drag = null;
  let tap = null; // where a finger went down with a tool of clicks: it may become two fingers

  editor.root.addEventListener("keyup", (event) => {
    if (event.key === " ") editor.panning = false;
    if (event.key === "p") editor.peek(false);
  });
  editor.root.addEventListener("focusout", () => editor.letGo());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const steps = wheelSteps(event); // with Shift a wheel turns sideways
    if (event.shiftKey) editor.setSize(editor.size * Math.exp(-steps * 0.005) - Math.sign(steps) * 0.5);
    else editor.zoomBy(wheelZoom(event), ...at(event));
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    if (!editor.scene || editor.pinching || (event.pointerType === "touch" && !event.isPrimary)) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    editor.pointAt(...at(event));
    if (editor.panning || event.button === 1 || event.button === 2) drag = at(event);
    else if (event.button === 0 && event.altKey) editor.choose(editor.valueAt(editor.cursor));
    else if (event.pointerType === "touch" && CLICKS.includes(editor.tool)) tap = editor.cursor;
    else if (event.button === 0) editor.strokes.down(editor.cursor, event.shiftKey);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!editor.scene || editor.pinching) return;
    if (drag) {
      const [x, y] = at(event);
      editor.panBy(x - drag[0], y - drag[1]);
      drag = [x, y];
    } else {
      const between = event.getCoalescedEvents?.() ?? [];
      for (const one of between.length ? between : [event]) {
        editor.pointAt(...at(one));
        editor.strokes.move(editor.cursor);
      }
    }
    editor.pointAt(...at(event));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!editor.scene) return;
    drag = null;
    editor.pointAt(...at(event));
    if (tap) editor.strokes.down(tap);
    tap = null;
    editor.strokes.up(editor.cursor);
    editor.repaint();
  });
  const interrupt = () => {
    drag = tap = null;
    if (editor.tool !== "polygon") editor.strokes.cancel(); // its corners stay while one zooms
  };
  canvas.addEventListener("pointercancel", interrupt);
  canvas.addEventListener("dblclick", () => editor.strokes.close());
  canvas.addEventListener("pointerleave", () => editor.scene && !editor.strokes.busy && editor.pointAway());
  canvas.addEventListener("touchstart", (event) => event.touches.length === 2 && interrupt());
  bindPinch(editor, canvas);
}
