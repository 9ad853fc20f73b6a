// Regions of one image to decide about, one after the other.

class Task {
  // "work" is { regions: [{ given, suggested, pixels, rows }], text } or nothing.
  static of(work) {
    return work ? new Task(work) : null;
  }

  constructor({ regions, text }) {
    this.regions = regions;
    this.text = text;
    this.at = 0;
    this.decisions = []; // { decision, index, steps }
  }

  get region() {
    return this.regions[this.at] ?? null;
  }

  decide(decision, steps) {
    this.decisions.push({ decision, index: this.at, steps });
    this.at++;
  }

  // Steps of drawing were taken back: decisions that made them are open again. Returns whether any is.
  undone(steps) {
    const before = this.at;
    while (this.decisions.length && this.decisions.at(-1).decision === "accepted" && this.decisions.at(-1).steps > steps) {
      this.at = this.decisions.pop().index;
    }
    return this.at !== before;
  }

  // When its answers were not kept, the last one is asked again.
  reopened() {
    if (!this.region && this.decisions.length) this.at = this.decisions.pop().index;
    return this;
  }

  back() {
    if (!this.decisions.length || this.decisions.at(-1).decision === "accepted") return false;
    this.at = this.decisions.pop().index;
    return true;
  }
}
