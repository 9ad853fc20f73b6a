// Hands on the editor: pointer, wheel and keys.

const EDITOR_HELP = [
  ...Object.values(TOOLS).map((tool) => [tool.key, tool.title.toLowerCase()]),
  ["1 … 9", "choose a class"],
  ["v", "choose ignored"],
  ["x", "the class chosen before"],
  ["[  ]", "smaller, larger brush"],
  ["Shift + wheel", "brush size"],
  ["wheel  +  −  0", "zoom, fit"],
  ["Space + drag", "pan (or the right button, or arrows)"],
  ["p", "hold: show the proposal"],
  ["o", "fill, outlines, both"],
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
  Enter: (editor) => (editor.strokes.busy ? editor.strokes.close() : editor.decide("accepted")),
  k: (editor) => editor.decide("kept"),
  n: (editor) => editor.decide("skipped"),
  Backspace: (editor) => editor.back(),
  Escape: (editor) => {
    editor.strokes.cancel();
    editor.repaint();
  },
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

  editor.root.addEventListener("keyup", (event) => {
    if (event.key === " ") editor.panning = false;
    if (event.key === "p") editor.peek(false);
  });
  editor.root.addEventListener("focusout", () => editor.letGo());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const delta = clamp((event.deltaY || event.deltaX) * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1), -60, 60);
    if (event.shiftKey) editor.setSize(editor.size * Math.exp(-delta * 0.005) - Math.sign(delta) * 0.5);
    else editor.zoomBy(Math.exp(-delta * 0.004), ...at(event));
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    if (!editor.scene || editor.pinching || (event.pointerType === "touch" && !event.isPrimary)) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    editor.pointAt(...at(event));
    if (editor.panning || event.button === 1 || event.button === 2) drag = at(event);
    else if (event.button === 0 && event.altKey) editor.choose(editor.valueAt(editor.cursor));
    else if (event.button === 0) editor.strokes.down(editor.cursor);
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
    editor.strokes.up(editor.cursor);
    editor.repaint();
  });
  canvas.addEventListener("pointercancel", () => {
    drag = null;
    editor.strokes.cancel();
  });
  canvas.addEventListener("dblclick", () => editor.strokes.close());
  canvas.addEventListener("pointerleave", () => editor.scene && !editor.strokes.busy && editor.pointAway());
  canvas.addEventListener("touchstart", (event) => event.touches.length === 2 && editor.strokes.cancel());
  bindPinch(editor, canvas);
}
