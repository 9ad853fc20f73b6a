// The entry points: Streamlit calls one when its component appears and whenever its payload or the theme changes.

// Bytes, one part after another -> parts.
function cut(bytes, sizes) {
  let start = 0;
  return sizes.map((size) => bytes.slice(start, (start += size)));
}

const RUNNING = new WeakMap(); // element -> Viewer or Strip

function run(component, Kind, complain) {
  const root = component.parentElement.querySelector(".viewer, .strip");
  if (!RUNNING.has(root)) RUNNING.set(root, new Kind(root));
  const running = RUNNING.get(root);
  running.receive(component).catch((error) => {
    complain(running);
    throw error;
  });
  return () => {
    running.destroy();
    RUNNING.delete(root);
  };
}

export const mount = (component) => run(component, Viewer, (viewer) => viewer.hint("This image could not be read"));

export const mountEditor = (component) => run(component, Editor, (editor) => editor.hint("This mask could not be read"));

// The image that follows in a work list: unpacked now, shown at once then.
export function mountEditorAhead({ data }) {
  const [settings, body] = splitHeader(data);
  if (body.length && AHEAD.get(settings.key)?.settings.token !== settings.token) AHEAD.set(settings.key, { settings, scene: Scene.unpack(body) });
  return () => {};
}

export const mountStrip = (component) => run(component, Strip, () => {});

// A scene that will probably be asked for next: unpacked now, shown at once then.
export function mountAhead({ data }) {
  const [{ viewer, context, image }, body] = splitHeader(data);
  const album = Album.of(viewer);
  if (body.length && !album.scene(album.name(image, context))) album.keep(album.name(image, context), Scene.unpack(body), body.length);
  return () => {};
}

// Tiles of a large scene: takes those that came and lets the viewer ask for others.
export function mountTiles({ data, setTriggerValue }) {
  const [{ viewer, source, tiles, sizes, failed, why }, body] = splitHeader(data);
  const mosaic = Mosaic.of(viewer);
  mosaic.request = (wanted) => setTriggerValue("wanted", wanted);
  if (why) mosaic.viewer?.hint(why);
  mosaic.receive(source, tiles, cut(body, sizes), failed);
  return () => {};
}

// Thumbnails: takes those that came and lets the strip ask for others.
export function mountThumbnails({ data, setTriggerValue }) {
  const [{ viewer, source, images, sizes }, body] = splitHeader(data);
  const album = Album.of(viewer);
  album.request = (wanted) => setTriggerValue("wanted", wanted);
  album.receiveThumbnails(source, images, cut(body, sizes));
  return () => {};
}
