// One rater's answers, kept in the browser under the sheet's fingerprint and the rater's name.

const storage = (() => {
  try {
    localStorage.setItem("rating-sheet", "");
    localStorage.removeItem("rating-sheet");
    return localStorage;
  } catch {
    return null; // private windows and some policies forbid it
  }
})();

const keyOf = (rater) => `rating-sheet ${sheet.sheet} ${rater}`;
const lastRaterKey = `rating-sheet ${sheet.sheet}`;

class Answers {
  constructor(rater, values = {}) {
    this.rater = rater;
    this.values = values; // item id -> response id -> aspect -> number
    this.unsaved = false;
  }

  static of(rater) {
    try {
      return new Answers(rater, JSON.parse(storage?.getItem(keyOf(rater)) ?? "{}"));
    } catch {
      return new Answers(rater);
    }
  }

  get(item, response, aspect) {
    return this.values[item.id]?.[response.id]?.[aspect];
  }

  set(item, response, aspect, value) {
    const given = ((this.values[item.id] ??= {})[response.id] ??= {});
    if (value === undefined) delete given[aspect];
    else given[aspect] = value;
    return this.save();
  }

  missing(item) {
    const empty = (response) => aspects.filter((aspect) => this.get(item, response, aspect) === undefined).length;
    return item.responses.reduce((sum, response) => sum + empty(response), 0);
  }

  isComplete(item) {
    return this.missing(item) === 0;
  }

  completed() {
    return sheet.items.filter((item) => this.isComplete(item)).length;
  }

  // False where the browser keeps nothing; the page then says so.
  save() {
    this.unsaved = true;
    try {
      storage.setItem(keyOf(this.rater), JSON.stringify(this.values));
      storage.setItem(lastRaterKey, this.rater);
      this.unsaved = false;
    } catch {
      return false;
    }
    return true;
  }
}
