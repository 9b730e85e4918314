"use strict";
// The items of one corpus, split and seed: search, order and summary over columns. Nothing here knows the page.

Report.Items = class {
  /** `raw`: what item_files.pack made. */
  constructor(raw) {
    this.exampleId = Report.column(raw.example_id, Float64Array);
    this.size = this.exampleId.length;
    this.texts = raw.texts.split("\n");
    this.context = Report.column(raw.context, Uint32Array);
    this.reference = Report.column(raw.reference, Uint32Array);
    this.label = raw.label && Report.column(raw.label, Int32Array);
    /** Whether these are sentences without contexts, which then have nothing in common. */
    this.alone = this.context.every((text) => !this.texts[text]);
    this.answers = new Map(raw.answers.map((answer) => [`${answer.system}/${answer.selection}`, new Answer(answer, this)]));
    /** Text number of a context -> examples that have it. */
    this.examplesOf = Report.once(() => {
      const found = new Map();
      if (this.alone) return found;
      this.context.forEach((text, example) => found.has(text) ? found.get(text).push(example) : found.set(text, [example]));
      return found;
    });
    /** Per example, whether its context comes with different references. */
    this.several = Report.once(() => Uint8Array.from(this.context, (text, example) =>
      !this.alone && this.examplesOf().get(text).some((other) => this.reference[other] !== this.reference[example])));
  }

  /** References of an example's context: text -> how often. */
  referencesOf(example) {
    if (this.alone) return new Map([[this.texts[this.reference[example]], 1]]);
    const counts = new Map();
    for (const other of this.examplesOf().get(this.context[example])) {
      const text = this.texts[this.reference[other]];
      counts.set(text, (counts.get(text) || 0) + 1);
    }
    return counts;
  }

  /** Examples that pass: {query, scope, keys (whose responses are searched), key and group, label, several}. */
  chosen({ query, scope, keys, key, group, label, several }) {
    const hit = query && Uint8Array.from(this.texts, (text) => text.includes(query));
    const searched = [
      ...(scope === "anywhere" || scope === "context" ? [this.context] : []),
      ...(scope === "anywhere" || scope === "reference" ? [this.reference] : []),
      ...(scope === "anywhere" || scope === "response" ? keys.flatMap((one) => this.answers.get(one).responses()) : []),
    ];
    const groups = group === "" ? null : this.answers.get(key).group();
    const out = [];
    for (let example = 0; example < this.size; example++) {
      if (several && !this.several()[example]) continue;
      if (label !== "" && this.label && this.label[example] !== Number(label)) continue;
      if (groups && groups[example] !== Number(group)) continue;
      if (hit && !searched.some((column) => hit[column[example]])) continue;
      out.push(example);
    }
    return Uint32Array.from(out);
  }

  /** `examples` by `values`, descending or ascending; equal ones as in the corpus, those without a value last. */
  static sorted(examples, values, direction) {
    const sign = direction === "desc" ? -1 : 1;
    const [known, unknown] = [examples.filter((example) => values[example] === values[example]), examples.filter((example) => values[example] !== values[example])];
    known.sort((a, b) => sign * (values[a] - values[b]) || a - b);
    const out = new Uint32Array(examples.length);
    out.set(known);
    out.set(unknown, known.length);
    return out;
  }
};

/** The answers of one system under one selection. */
class Answer {
  constructor(raw, items) {
    this.system = raw.system;
    this.selection = raw.selection;
    this.metrics = ["repeats", ...Object.keys(raw.metrics)];
    this.responses = Report.once(() => raw.responses.map((one) => Report.column(one, Uint32Array)));
    this.group = Report.once(() => raw.group && Report.column(raw.group, Int32Array));
    this.columns = Object.fromEntries(
      Object.entries(raw.metrics).map(([name, packed]) => [name, Report.once(() => Report.column(packed, Float32Array))]));
    this.columns.repeats = Report.once(() => {
      const counts = new Uint32Array(items.texts.length);
      const given = this.responses()[0];
      for (const text of given) counts[text]++;
      return Float32Array.from(given, (text) => counts[text]);
    });
  }

  /** (examples,) values of a metric; null where this system has none. */
  metric(name) {
    return this.columns[name] ? this.columns[name]() : null;
  }

  /** Different responses to one example, usually one. */
  textsOf(example, texts) {
    return [...new Set(this.responses().map((column) => texts[column[example]]))];
  }
}
