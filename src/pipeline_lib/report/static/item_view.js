"use strict";
// One context in full: its references, and every system's answer with its figures.

Report.ItemView = class {
  constructor(element) {
    this.element = element;
    this.texts = Report.element("div", "texts");
    this.grid = Report.element("div", "answers");
    element.append(this.texts, this.grid);
    this.fill = Report.oneAtATime((rows, metrics) => this.draw(rows, metrics));
  }

  /** Show `example` of `items`; `query` is marked, the rows of `chosen` stand out, `metric` is the first of the figures. */
  show(items, example, query, chosen, metric) {
    this.element.hidden = example === null;
    if (example === null) return;
    const references = [...items.referencesOf(example)].map(([text, times]) => {
      const own = text === items.texts[items.reference[example]];
      const line = Report.element("li", own ? "own" : "", Report.marked(text, query));
      if (times > 1) line.append(Report.element("span", "muted", ` ×${times}`));
      if (own) line.title = "the reference that the figures are measured against";
      return line;
    });
    const label = items.label && items.label[example] >= 0 ? `, label ${items.label[example]}` : "";
    const number = Report.element("span", "muted", ` example ${items.exampleId[example]}${label}`);
    const first = (title, text) => Report.element("div", "", Report.element("h3", "", title, number), Report.element("p", "context", Report.marked(items.texts[text], query)));
    const second = Report.element("div", "", Report.element("h3", "", references.length > 1 ? `${references.length} references` : "Reference"), Report.element("ul", "references", ...references));
    this.texts.replaceChildren(...(items.alone ? [first("Sentence", items.reference[example])] : [first("Context", items.context[example]), second]));
    const rows = [...items.answers].map(([key, answer]) => ({
      key,
      system: Report.labelOf(key),
      responses: answer.textsOf(example, items.texts),
      group: answer.group() && answer.group()[example] >= 0 ? answer.group()[example] : null,
      ...Object.fromEntries(answer.metrics.map((name) => [`metric.${name}`, answer.metric(name)[example]])),
    }));
    this.query = query;
    this.chosen = chosen;
    this.fill(rows, [...new Set([metric, ...Report.metricsOf(items)])]);
  }

  async draw(rows, metrics) {
    const grouped = rows.some((row) => row.group !== null);
    const signature = [grouped, ...metrics].join("\n");
    if (this.table && signature === this.signature) return this.table.replaceData(rows);
    this.table?.destroy();
    this.signature = signature;
    this.table = Report.grid(this.grid, {
      data: rows,
      layout: "fitDataFill",
      rowFormatter: (row) => row.getElement().classList.toggle("chosen", this.chosen.includes(row.getData().key)),
      columns: [
        { title: "System", field: "system", frozen: true, minWidth: 120 },
        { title: "Response", field: "responses", minWidth: 220, width: Math.max(220, Math.min(560, this.grid.clientWidth * 0.4)), headerSort: false, cssClass: "prose", formatter: (cell) => this.responses(cell.getValue()) },
        ...(grouped ? [{ title: "Group", field: "group", hozAlign: "right", headerHozAlign: "right", sorter: "number", formatter: (cell) => cell.getValue() ?? "–" }] : []),
        ...metrics.map((name) => ({
          title: name, field: `metric.${name}`, hozAlign: "right", headerHozAlign: "right", sorter: "number",
          sorterParams: { alignEmptyValues: "bottom" },
          headerTooltip: () => Report.aboutMetric(name),
          formatter: (cell) => Report.figure(cell.getValue(), Report.placesOf(name)),
        })),
      ],
    });
    return Report.gridReady(this.table);
  }

  responses(texts) {
    if (texts.length === 1) return texts[0] ? Report.element("span", "", Report.marked(texts[0], this.query)) : Report.element("em", "muted", "no response");
    return Report.element("ol", "", ...texts.map((text) => Report.element("li", "", Report.marked(text, this.query))));
  }
};
