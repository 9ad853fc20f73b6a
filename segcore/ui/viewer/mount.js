// The door: Streamlit calls mount() when the viewer appears and whenever its payload or the theme changes.

const RUNNING = new WeakMap(); // element -> Viewer

// For tests and the curious: the state and pixels of the viewer painted last.
function expose(viewer) {
  window.__segviewer = {
    viewer,
    id: viewer.scene.id,
    state: viewer.state,
    frame: viewer.frame,
    paintTime: viewer.paintTime,
    at: performance.now(),
    probe: (x, y) => viewer.probe(x, y),
    panelPixels: (index, x = 0, y = 0, width = null, height = null) => {
      const { canvas } = viewer.views[index];
      return [...canvas.getContext("2d").getImageData(x, y, width ?? canvas.width, height ?? canvas.height).data];
    },
  };
}

export function mount(component) {
  const root = component.parentElement.querySelector(".viewer");
  if (!RUNNING.has(root)) RUNNING.set(root, new Viewer(root));
  const viewer = RUNNING.get(root);
  viewer.receive(component).catch((error) => {
    viewer.hint("This picture could not be read");
    throw error;
  });
  return () => {
    viewer.destroy();
    RUNNING.delete(root);
  };
}
