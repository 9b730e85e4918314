"use strict";
// The tables of figures: our figure with its spread, the published one and the difference in one cell.

Report.sortBy = "mean"; // which of the three a click on a header sorts by

Report.showTables = () => {
  const shown = Report.data.tables.map((table) => Report.showTable(table));
  const select = document.getElementById("sort-by");
  select?.addEventListener("change", () => {
    Report.sortBy = select.value;
    for (const table of shown) if (table.getSorters().length) table.setSort(table.getSorters().map(({ field, dir }) => ({ column: field, dir })));
  });
};

Report.showTable = (table) => {
  const corpora = new Set(table.rows.map((row) => row.corpus_label));
  const isLong = table.rows.length > 40;
  const label = { title: table.rows.some((row) => row.system) ? "System" : "Corpus", field: "label", frozen: true, formatter: labelCell, minWidth: 120, tooltip: false };
  return Report.grid(`[data-table="${CSS.escape(table.name)}"]`, {
    data: table.rows,
    ...(isLong && { maxHeight: "44rem" }),
    layout: "fitDataFill",
    groupBy: label.title === "System" && corpora.size > 1 ? "corpus_label" : false,
    groupHeader: (value) => Report.element("span", "", String(value)),
    columns: [...(table.rows.some((row) => row.label) ? [label] : []), ...table.columns.map((column) => columnOf(table, column))],
  });
};

function columnOf(table, column) {
  const base = {
    title: column.name,
    field: `cells.${column.name}`,
    mutator: (_, row) => row.cells[column.name],
    headerTooltip: () => Report.aboutMetric(column.name, table.signatures?.[column.name]),
  };
  if (column.kind === "text") return { ...base, cssClass: "prose", maxWidth: 420 };
  const right = { ...base, hozAlign: "right", headerHozAlign: "right", sorter: bySortKey, headerWordWrap: true, minWidth: 92, maxWidth: 150 };
  if (column.kind === "number") return { ...right, formatter: (cell) => Report.figure(cell.getValue(), column.places) };
  return {
    ...right,
    formatter: (cell) => figureCell(table, column, cell.getRow().getData(), cell.getValue()),
    tooltip: (_, cell) => about(column, cell.getRow().getData(), cell.getValue(), table),
  };
}

/** Numbers in order; those that are missing come last whichever the direction. */
function bySortKey(a, b, _rowA, _rowB, _column, direction) {
  const [x, y] = [a, b].map((value) => (value && typeof value === "object" ? value[Report.sortBy] : value));
  const missing = (value) => typeof value !== "number";
  if (missing(x) || missing(y)) return missing(x) && missing(y) ? 0 : (missing(x) ? 1 : -1) * (direction === "asc" ? 1 : -1);
  return x - y;
}

function labelCell(cell) {
  const row = cell.getRow().getData();
  const text = Report.element("span", "", row.label);
  if (row.collapsed) {
    const mark = Report.element("span", "collapsed", ` ‡${row.collapsed}`);
    mark.title = `Collapsed: the KL of ${row.collapsed} run(s) ended below 0.1 nat`;
    text.append(mark);
  }
  return text;
}

function figureCell(table, column, row, value) {
  if (typeof value.mean === "string") return Report.element("span", "muted", value.mean); // `not collected`
  const ours = Report.element(value.lead ? "b" : "span", "ours", Report.figure(value.mean, column.places));
  const line = Report.element("span", "line", ours);
  if (typeof value.sd === "number") line.append(Report.element("span", "sd", `±${Report.figure(value.sd, column.places)}`));
  if (value.lead === "real") line.append(Report.element("sup", "", "†"));
  const box = Report.element("span", "cell", line);
  if (typeof value.published === "number") {
    const decimals = Math.max(column.places, String(value.published).split(".")[1]?.length ?? 0); // as printed
    box.append(Report.element("span", "line muted", `${Report.figure(value.published, decimals)} `,
      Report.element("span", "difference", Report.figure(value.difference, column.places, true))));
  } else if (typeof value.difference === "number") {
    const real = typeof value.p === "number" && value.p < Report.data.level;
    box.append(Report.element("span", "line muted", Report.figure(value.difference, column.places, true), real ? "†" : ""));
  }
  const target = Report.itemsBehind(table, column.name, row);
  if (!target || typeof value.mean !== "number") return box;
  const link = Report.element("a", "behind", box);
  link.href = target;
  return link;
}

const NAMED_PARTS = new Set(["mean", "sd", "n", "low", "high", "published", "difference", "lead"]);

function about(column, row, value, table) {
  const figure = (number) => Report.figure(number, column.places + 1);
  const lines = [`${column.name}, ${row.label}`];
  if (typeof value.mean !== "number") return Report.tooltip(...lines, value.mean ?? "not defined for this system");
  lines.push(`mean ${figure(value.mean)}` + (value.n > 1 ? ` over ${value.n} seeds` : ""));
  if (typeof value.sd === "number") lines.push(`sd ${figure(value.sd)}`);
  if (typeof value.low === "number") lines.push(`95 % interval ${figure(value.low)} to ${figure(value.high)}`);
  if (typeof value.published === "number") lines.push(`published ${value.published}`, `difference ${Report.figure(value.difference, column.places + 1, true)}`);
  else if (typeof value.difference === "number") lines.push(`difference ${Report.figure(value.difference, column.places + 1, true)}`);
  for (const [part, one] of Object.entries(value))
    if (!NAMED_PARTS.has(part) && one !== null) lines.push(`${part} ${typeof one === "number" ? figure(one) : one}`);
  if (value.lead) lines.push(value.lead === "real" ? "leads, by more than chance" : "leads, perhaps by chance");
  if (Report.itemsBehind(table, column.name, row)) lines.push("Click: the items behind it");
  return Report.tooltip(...lines);
}
