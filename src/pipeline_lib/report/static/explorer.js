"use strict";
// The explorer: what is chosen stands in the page's address, so that every view can be linked to.

/** Address of the items behind a value of a table; null where there are none. */
Report.itemsBehind = (column, row) => {
  const about = Report.data.metrics[column.metric];
  if (!column.split || !about || !Report.labels.has(`${row.system}/${row.selection}`)) return null;
  const better = (about.item === column.metric ? about : Report.data.metrics[about.item])?.better;
  return "#items?" + new URLSearchParams({
    corpus: row.corpus, split: column.split, system: `${row.system}/${row.selection}`, metric: about.item,
    order: better === "lower" ? "a desc" : better === "higher" ? "a asc" : "a desc", // worst first
  });
};

/** Name of a system under a selection, as in the tables. */
Report.labelOf = (key) => Report.labels.get(key) || key;

Report.metricsOf = (items) => [...new Set([...items.answers.values()].flatMap((answer) => answer.metrics))];

Report.placesOf = (metric) => Report.data.metrics[metric]?.places ?? 3;

// --- item sets, each a script of its own that is loaded when it is first asked for ---

Report.loaded = new Map(); // name -> promise of items
Report.arrived = new Map(); // name -> raw items

Report.receiveItems = (name, raw) => Report.arrived.set(name, raw);

Report.loadItems = (name) => {
  if (!Report.loaded.has(name)) {
    Report.loaded.set(name, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `files/items/${name}.js`;
      script.onload = () => {
        resolve(new Report.Items(Report.arrived.get(name)));
        Report.arrived.delete(name);
        script.remove();
      };
      script.onerror = () => reject(new Error(`files/items/${name}.js is not beside the page: copy the whole folder`));
      document.head.append(script);
    }));
  }
  return Report.loaded.get(name);
};

// --- the explorer ---

Report.Explorer = class {
  constructor() {
    this.form = document.getElementById("items-controls");
    this.summary = document.getElementById("items-summary");
    this.view = new Report.ItemView(document.getElementById("item"));
    this.form.addEventListener("input", () => this.changed());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.order = new Uint32Array(0);
    this.example = null;
    this.grid = null;
    this.turn = 0;
    this.draw = Report.oneAtATime((view) => this.drawGrid(view));
  }

  value(name) { return this.form.elements[name].value; }

  /** Show what an address asks for: parameters of `itemsBehind`, and example, query and the other controls. */
  async open(parameters = new URLSearchParams()) {
    const sets = Report.data.item_sets;
    const wanted = (name) => parameters.get(name);
    const corpus = this.offer("corpus", unique(sets.map((set) => set.corpus)), wanted("corpus"), (name) => Report.data.corpora[name]);
    const inCorpus = sets.filter((set) => set.corpus === corpus);
    const split = this.offer("split", unique(inCorpus.map((set) => set.split)), wanted("split") ?? "test");
    const seed = this.offer("seed", unique(inCorpus.filter((set) => set.split === split).map((set) => String(set.seed))), wanted("seed"));
    const turn = ++this.turn;
    await this.load(`${corpus}-${split}-seed${seed}`);
    if (!this.items || turn !== this.turn) return; // something else was asked for meanwhile
    const keys = [...this.items.answers.keys()];
    const system = this.offer("system", keys, wanted("system") ?? bestGuess(keys), Report.labelOf);
    this.offer("against", ["", ...keys], wanted("against") ?? this.value("against"), (key) => (key ? Report.labelOf(key) : "none"));
    this.offer("metric", Report.metricsOf(this.items), wanted("metric") ?? ["BLEU-2", "nll-bound"].find((name) => Report.metricsOf(this.items).includes(name)));
    this.form.elements.several.parentElement.hidden = this.items.alone;
    this.offerOrders(wanted("order"));
    this.offerGroups(system, wanted("group"));
    for (const name of ["query", "scope"]) if (wanted(name) !== null) this.form.elements[name].value = wanted(name);
    this.form.elements.several.checked = wanted("several") ? wanted("several") === "1" : this.form.elements.several.checked;
    this.example = wanted("example") === null ? null : this.items.exampleId.indexOf(Number(wanted("example")));
    if (this.example === -1) this.example = null;
    this.refresh();
  }

  async load(name) {
    if (this.name === name) return;
    this.summary.textContent = "Loading the responses …";
    try {
      this.items = await Report.loadItems(name);
      this.name = name;
    } catch (error) {
      this.summary.textContent = error.message;
    }
  }

  /** Fill a select; the wanted value is chosen if there is such, else the one chosen before, else the first. */
  offer(name, values, wanted, label = (value) => value) {
    const select = this.form.elements[name];
    const chosen = [wanted, select.value].find((value) => values.includes(value)) ?? values[0];
    select.replaceChildren(...values.map((value) => new Option(label(value), value, false, value === chosen)));
    select.value = chosen;
    return chosen;
  }

  offerOrders(wanted) {
    const better = Report.data.metrics[this.value("metric")]?.better;
    const names = { "a desc": better === "higher" ? "best first" : better === "lower" ? "worst first" : "highest first", "a asc": better === "higher" ? "worst first" : better === "lower" ? "best first" : "lowest first" };
    if (this.value("against")) Object.assign(names, { "lead desc": "furthest ahead", "lead asc": "furthest behind" });
    this.offer("order", ["", ...Object.keys(names)], wanted, (value) => names[value] ?? "as in the corpus");
  }

  offerGroups(key, wanted) {
    const groups = this.items.answers.get(key).group();
    const present = (column) => (column ? [...new Set(column)].filter((value) => value >= 0).sort((a, b) => a - b).map(String) : []);
    const offer = (name, values, value) => {
      this.offer(name, ["", ...values], value, (one) => one || "any");
      this.form.elements[name].parentElement.hidden = !values.length;
    };
    offer("group", present(groups), wanted);
    offer("label", present(this.items.label));
  }

  async changed() {
    this.example = null; // another order or filter, another first context
    const parameters = this.parameters();
    const name = `${this.value("corpus")}-${this.value("split")}-seed${this.value("seed")}`;
    if (name !== this.name) return this.open(parameters);
    this.offerOrders(this.value("order"));
    this.offerGroups(this.value("system"), this.value("group"));
    this.refresh();
  }

  parameters() {
    const parameters = new URLSearchParams();
    for (const name of ["corpus", "split", "seed", "system", "against", "metric", "order", "query", "scope", "group", "label"])
      if (this.value(name)) parameters.set(name, this.value(name));
    if (this.form.elements.several.checked) parameters.set("several", "1");
    if (this.example !== null) parameters.set("example", this.items.exampleId[this.example]);
    return parameters;
  }

  /** Values of the metric for both systems and for the lead of the first, positive where it is ahead. */
  columns() {
    const metric = this.value("metric");
    const a = this.items.answers.get(this.value("system")).metric(metric);
    const b = this.value("against") ? this.items.answers.get(this.value("against")).metric(metric) : null;
    const sign = Report.data.metrics[metric]?.better === "lower" ? -1 : 1;
    return { a, b, lead: a && b ? Float32Array.from(a, (value, example) => sign * (value - b[example])) : null };
  }

  refresh() {
    const items = this.items;
    this.query = this.value("query").trim().toLowerCase();
    const keys = this.value("against") ? [this.value("system"), this.value("against")] : [this.value("system")];
    const examples = items.chosen({
      query: this.query, scope: this.value("scope"), keys: [...items.answers.keys()], key: this.value("system"),
      group: this.value("group"), label: this.value("label"), several: this.form.elements.several.checked,
    });
    this.values = this.columns();
    const [field, direction] = this.value("order").split(" ");
    this.order = this.values[field] ? Report.Items.sorted(examples, this.values[field], direction) : examples;
    if (this.example === null && this.order.length) this.example = this.order[0];
    this.summarise(keys);
    const { query, values, order } = this;
    this.draw({ items, query, values, order, keys, metric: this.value("metric"), sort: this.value("order") });
    this.show();
    Report.remember("items?" + this.parameters());
  }

  /** How many contexts there are, and what their items average to: without a filter, the tables' figures for one seed. */
  summarise(keys) {
    const metric = this.value("metric");
    const count = (number) => number.toLocaleString("en-GB");
    const average = (values) => {
      const known = values ? [...this.order].map((example) => values[example]).filter((value) => value === value) : [];
      if (!known.length) return null;
      const ratio = metric.startsWith("ppl"); // of perplexities, the geometric mean
      const sum = known.reduce((total, value) => total + (ratio ? Math.log(value) : value), 0);
      return ratio ? Math.exp(sum / known.length) : sum / known.length;
    };
    const kind = metric.startsWith("ppl") ? "Geometric mean" : "Mean";
    const means = keys.map((key, i) => `${Report.labelOf(key)} ${Report.figure(average([this.values.a, this.values.b][i]), Math.max(1, Report.placesOf(metric)))}`);
    this.summary.textContent = `${count(this.order.length)} of ${count(this.items.size)} ${this.items.alone ? "sentences" : "contexts"}. ${kind} ${metric} of these: ${means.join(", ")}.`;
  }

  /** Draw a view: what `refresh` found. Its rows keep it, since the explorer may hold other items before they are gone. */
  async drawGrid(view) {
    const layout = [...view.keys, view.metric, view.sort, view.items.alone].join("\n");
    if (this.grid && layout !== this.layout) {
      this.grid.clearData();
      this.grid.setColumns(this.gridColumns(view));
    }
    this.layout = layout;
    this.drawn = view;
    if (this.grid) return this.grid.setData("items");
    // Rows come in pages as they are scrolled to: order and search are ours, so the number of contexts costs nothing.
    this.grid = Report.grid("#items-grid", {
      height: "100%",
      layout: "fitColumns",
      ajaxURL: "items",
      ajaxRequestFunc: async (_url, _config, { page, size }) => ({
        last_page: Math.max(1, Math.ceil(this.drawn.order.length / size)),
        data: [...this.drawn.order.subarray((page - 1) * size, page * size)].map((example) => ({ example, view: this.drawn })),
      }),
      progressiveLoad: "scroll",
      progressiveLoadScrollMargin: 600,
      paginationSize: 100,
      dataLoader: false,
      placeholder: "No context passes these filters",
      columnDefaults: { headerSort: false, resizable: true },
      rowFormatter: (row) => row.getElement().classList.toggle("chosen", row.getData().example === this.example),
      columns: this.gridColumns(view),
    });
    this.grid.on("rowClick", (_event, row) => this.choose(row));
    this.grid.element.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const rows = this.grid.getRows();
      const at = rows.findIndex((row) => row.getData().example === this.example);
      const next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
      if (next) { this.choose(next); next.scrollTo("nearest", false).catch(() => {}); }
    });
    return Report.gridReady(this.grid);
  }

  gridColumns({ items: { alone }, keys, metric, sort }) {
    const [field, direction] = sort.split(" ");
    const text = (title, numbers, grow = 2) => ({
      title, field: "example", minWidth: 130, widthGrow: grow,
      formatter: (cell) => {
        const { items, query } = cell.getData().view;
        const full = items.texts[numbers(items)[cell.getValue()]];
        return Report.element("span", "", Report.marked(Report.nearMatch(full, query), query));
      },
    });
    const number = (title, column, sign) => ({
      title: field === column ? `${title} ${direction === "desc" ? "↓" : "↑"}` : title, field: "example", hozAlign: "right", headerHozAlign: "right", minWidth: 76, width: 104,
      headerTooltip: () => Report.aboutMetric(metric),
      headerClick: () => this.reorder(column),
      cssClass: "sorts",
      formatter: (cell) => Report.figure(cell.getData().view.values[column]?.[cell.getValue()] ?? null, Report.placesOf(metric), sign),
    });
    const response = (key) => text(Report.labelOf(key), (items) => items.answers.get(key).responses()[0]);
    const references = text(alone ? "Sentence" : "Reference", (items) => items.reference);
    const texts = [...(alone ? [] : [text("Context", (items) => items.context)]), references, ...keys.map(response)];
    const figures = [number(metric, "a"), ...(keys.length > 1 ? [number(`${metric} beside`, "b"), number("lead", "lead", true)] : [])];
    return window.innerWidth < 700 ? [...figures, ...texts] : [...texts, ...figures]; // on a phone, what is sorted by is seen
  }

  /** A click on a column of figures sorts by it, a second one the other way. */
  reorder(column) {
    if (column === "b") return;
    const order = this.value("order") === `${column} desc` ? `${column} asc` : `${column} desc`;
    this.offerOrders(order);
    this.refresh();
  }

  show() {
    this.view.show(this.items, this.example, this.query, [this.value("system"), this.value("against")], this.value("metric"));
  }

  choose(row) {
    const before = this.example;
    this.example = row.getData().example;
    for (const one of this.grid.getRows("visible").concat(row)) one.getElement().classList.toggle("chosen", one.getData().example === this.example);
    if (before !== this.example) this.show();
    Report.remember("items?" + this.parameters());
  }
};

const unique = (values) => [...new Set(values)];

/** The system to begin with: the last that was trained, which is the newest in the configuration. */
const bestGuess = (keys) => keys.findLast((key) => !key.endsWith("/oracle")) ?? keys[0];
