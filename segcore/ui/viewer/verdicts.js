// Planes of verdicts: what becomes of each pixel when a mask is held against another.

const VERDICT = { nothing: 0, right: 1, wrong: 2, extra: 3, missed: 4, hit: 5, fixed: 6, broken: 7, both: 8, void: 9 };
const RIGHT = 65534; // in planes that keep the class of wrong pixels
const VOID = 65535;

function verdictPlane(scene, decide, Type = Uint8Array) {
  const out = new Type(scene.width * scene.height);
  for (let i = 0; i < out.length; i++) out[i] = decide(i);
  return new Pyramid(out, scene.width, scene.height);
}

const numbersOf = (scene, position) => scene.panels[position].mask.levels[0].values;

// Wrong pixels keep the class that was shown there; right ones become RIGHT.
function wrongOnly(scene, panel) {
  const shown = panel.mask.levels[0].values;
  const truth = numbersOf(scene, panel.versus);
  const { ignore } = scene;
  return verdictPlane(scene, (i) => (truth[i] === ignore || shown[i] === ignore ? VOID : shown[i] === truth[i] ? RIGHT : shown[i]), Uint16Array);
}

function rightOrWrong(scene, panel) {
  const shown = panel.mask.levels[0].values;
  const truth = numbersOf(scene, panel.versus);
  const { ignore } = scene;
  return verdictPlane(scene, (i) => (truth[i] === ignore ? VERDICT.void : shown[i] === truth[i] ? VERDICT.right : VERDICT.wrong));
}

function soloCodes(scene, panel, solo) {
  const shown = panel.mask.levels[0].values;
  const truth = numbersOf(scene, panel.versus);
  const { ignore } = scene;
  const { hit, extra, missed, nothing, void: left } = VERDICT;
  const out = new Uint8Array(scene.width * scene.height);
  for (let i = 0; i < out.length; i++) { // a plain loop: every step through the classes waits for it
    const right = truth[i];
    if (right === ignore) out[i] = left;
    else if (shown[i] === solo) out[i] = right === solo ? hit : extra;
    else out[i] = right === solo ? missed : nothing;
  }
  return new Pyramid(out, scene.width, scene.height);
}

// The second mask (the panel's own) against the first; without a truth only where they differ.
function fixedOrBroken(scene, panel, solo) {
  const second = panel.mask.levels[0].values;
  const first = numbersOf(scene, panel.versus);
  const truth = scene.truth === null ? null : numbersOf(scene, scene.truth);
  const { ignore } = scene;
  return verdictPlane(scene, (i) => {
    if (truth && truth[i] === ignore) return VERDICT.void;
    if (solo !== null && first[i] !== solo && second[i] !== solo && (!truth || truth[i] !== solo)) return VERDICT.nothing;
    if (!truth) return first[i] === second[i] ? VERDICT.right : VERDICT.wrong;
    if (second[i] === truth[i]) return first[i] === truth[i] ? VERDICT.right : VERDICT.fixed;
    return first[i] === truth[i] ? VERDICT.broken : VERDICT.both;
  });
}

// Colours of verdicts. Hatching tells them apart where colours do not.
function codeLook() {
  const colors = new Uint32Array(256);
  const hatches = new Uint8Array(256);
  colors[VERDICT.nothing] = colors[VERDICT.right] = VEIL;
  colors[VERDICT.hit] = colors[VERDICT.fixed] = packColor(ERROR_COLORS.hit);
  colors[VERDICT.wrong] = colors[VERDICT.extra] = colors[VERDICT.broken] = packColor(ERROR_COLORS.wrong);
  colors[VERDICT.missed] = packColor(ERROR_COLORS.missed);
  colors[VERDICT.both] = packColor(ERROR_COLORS.both);
  hatches[VERDICT.extra] = hatches[VERDICT.broken] = HATCH.extra;
  hatches[VERDICT.missed] = hatches[VERDICT.both] = HATCH.missed;
  hatches[VERDICT.void] = HATCH.void;
  return { colors, hatches };
}

// What the key of the legend explains for the panels in a state: [[colour, hatching, words]].
function verdictKey(scene, state) {
  const rows = [];
  if (scene.shown.some(showsLevels)) {
    rows.push(["#808080", HATCH.group, "group of classes"]);
    if (scene.levels.some((level) => level > 1)) rows.push(["#808080", HATCH.high, "higher group"]);
  }
  if (scene.shown.some(showsChanges) && scene.truth !== null) {
    rows.push([ERROR_COLORS.hit, HATCH.none, "fixed"], [ERROR_COLORS.wrong, HATCH.extra, "broken"]);
    rows.push([ERROR_COLORS.both, HATCH.missed, "wrong in both"]);
  }
  const errors = scene.shown.some(showsErrors);
  const judged = errors || (state.errors && scene.shown.some((panel) => scene.comparable(panel)));
  if (judged && state.solo !== null) {
    const name = scene.classes[state.solo];
    rows.push([ERROR_COLORS.hit, HATCH.none, `${name}: correct`]);
    rows.push([ERROR_COLORS.wrong, HATCH.extra, "false positive"], [ERROR_COLORS.missed, HATCH.missed, "missed"]);
  } else if (errors) {
    rows.push([ERROR_COLORS.wrong, HATCH.none, "wrong"]);
  }
  const rest = state.errors ? "correct (dimmed); wrong pixels keep the colour of the predicted class" : "correct (dimmed)";
  if (judged && state.solo === null) rows.push(["#000000", HATCH.none, rest]);
  return rows;
}
