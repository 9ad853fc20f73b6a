// Images that were left with a drawing that is not saved; they wait in this window.

const OPENED = new Map(); // key of an editor -> { token, base, scene, edits, task, look }: survives reruns and switches of page

class Drafts {
  constructor() {
    this.kept = new Map(); // "key image" -> { base, edits, task, scene }
  }

  // Keep what is left, if it is not saved.
  leave(key, { base, scene, edits, task }) {
    if (edits.dirty) this.kept.set(`${key} ${scene.id}`, { base, edits, task, scene });
  }

  // What was drawn on an image before, or nothing; it is open again.
  resume(key, id) {
    const name = `${key} ${id}`;
    const draft = this.kept.get(name);
    this.kept.delete(name);
    return draft;
  }

  // Edits were saved, on what is known by "base" from now on; what was drawn after that still waits.
  saved(edits, base) {
    for (const [name, draft] of this.kept) {
      if (draft.edits !== edits) continue;
      if (edits.dirty) draft.base = base;
      else this.kept.delete(name);
    }
  }

  // What was drawn is a version in the history.
  keptElsewhere(edits) {
    edits.discard();
    this.saved(edits);
  }

  // Names of the images of an editor that wait.
  names(key) {
    return [...this.kept.keys()].filter((name) => name.startsWith(`${key} `)).map((name) => name.slice(key.length + 1).replace(/^[^:]*:/, ""));
  }

  get any() {
    return this.kept.size > 0 || [...OPENED.values()].some(({ edits }) => edits.dirty);
  }
}

// Class then -> class now, by name; ignored stays ignored.
function classesOfToday(then, now) {
  const table = new Map([[then.ignore, now.ignore]]);
  then.classes.forEach((name, index) => now.classes.includes(name) && table.set(index, now.classes.indexOf(name)));
  return table;
}

const DRAFTS = new Drafts();

// Wherever in the app the user is by then.
globalThis.addEventListener?.("beforeunload", (event) => DRAFTS.any && event.preventDefault());
