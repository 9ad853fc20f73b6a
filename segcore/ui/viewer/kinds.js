// The kinds of panel. KINDS is panel_kinds.json, which Python reads too; no other file asks what kind a panel is.

const kindOf = (panel) => KINDS[panel.kind];
const isBare = (panel) => kindOf(panel).look === "bare";
const isHeat = (panel) => kindOf(panel).look === "heat";
const isPlainMask = (panel) => kindOf(panel).look === "classes";
const showsErrors = (panel) => kindOf(panel).look === "errors";
const showsChanges = (panel) => kindOf(panel).look === "changes";
const showsLevels = (panel) => kindOf(panel).look === "levels";

// How each look is painted: { layer, judged, plain } from a wardrobe, or null for the bare image. "plain" layers
// know no outline, "judged" ones show correct and wrong.
const LOOKS = {
  bare: () => null,
  heat: (wardrobe, panel) => ({ layer: wardrobe.heat(panel), plain: true }),
  classes: (wardrobe, panel, state) => {
    const judged = state.errors && wardrobe.scene.comparable(panel);
    const layer = judged ? wardrobe.judged(panel, state, "mask") : wardrobe.classes(panel, state);
    return { layer, judged, plain: false };
  },
  levels: (wardrobe, panel, state) => ({ layer: wardrobe.levels(panel, state), judged: false, plain: false }),
  errors: (wardrobe, panel, state) => ({ layer: wardrobe.judged(panel, state, "error"), judged: true, plain: false }),
  changes: (wardrobe, panel, state) => ({ layer: wardrobe.judged(panel, state, "difference"), judged: true, plain: false }),
};
