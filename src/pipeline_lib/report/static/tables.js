"use strict";
// The tables of values: our value with its spread, the published one and the difference in one cell.

Report.sortBy = "mean"; // which of the three a click on a header sorts by

Report.showTables = () => {
  const shown = Report.data.tables.map((table) => Report.showTable(table));
  Report.preparePaper(shown.map((grid, i) => [grid, Report.data.tables[i]]));
  for (const scroller of document.querySelectorAll(".scroll")) Report.hintAtScrolling(scroller, scroller);
  const select = document.getElementById("sort-by");
  select?.addEventListener("change", () => {
    Report.sortBy = select.value;
    for (const table of shown) if (table.getSorters().length) table.setSort(table.getSorters().map(({ field, dir }) => ({ column: field, dir })));
  });
};

Report.showTable = (table) => {
  const isLong = table.rows.length > 40;
  const label = { title: Report.nameOfRows(table), field: "label", frozen: true, formatter: (cell) => Report.labelOfRow(cell.getRow().getData()), minWidth: 120, tooltip: false };
  const grid = Report.grid(`[data-table="${CSS.escape(table.name)}"]`, {
    data: table.rows,
    ...(isLong && { maxHeight: "44rem" }),
    layout: "fitDataFill",
    groupBy: Report.isGrouped(table) ? "corpus_label" : false,
    groupHeader: (value) => Report.element("span", "", String(value)),
    columns: [...(table.rows.some((row) => row.label) ? [label] : []), ...table.columns.map((column) => columnOf(table, column))],
  });
  grid.on("tableBuilt", () => Report.hintAtScrolling(grid.element, grid.element.querySelector(".tabulator-tableholder")));
  return grid;
};

Report.nameOfRows = (table) => (table.rows.some((row) => row.system) ? "System" : "Corpus");

/** Whether rows of several corpora stand below the names of these. */
Report.isGrouped = (table) => Report.nameOfRows(table) === "System" && new Set(table.rows.map((row) => row.corpus_label)).size > 1;

function columnOf(table, column) {
  const base = {
    title: column.name,
    field: `cells.${column.name}`,
    mutator: (_, row) => row.cells[column.name],
    headerTooltip: () => Report.aboutMetric(column.metric || column.name, column.signatures),
  };
  const right = { ...base, hozAlign: "right", headerHozAlign: "right", sorter: bySortKey, headerWordWrap: true, minWidth: 92, maxWidth: 150 };
  return {
    ...right,
    formatter: (cell) => Report.valueCell(column, cell.getRow().getData(), cell.getValue()),
    tooltip: (_, cell) => about(column, cell.getRow().getData(), cell.getValue()),
  };
}

/** Numbers in order; those that are missing come last whichever the direction. */
function bySortKey(a, b, _rowA, _rowB, _column, direction) {
  const [x, y] = [a, b].map((value) => (value && typeof value === "object" ? value[Report.sortBy] : value));
  const missing = (value) => typeof value !== "number";
  if (missing(x) || missing(y)) return missing(x) && missing(y) ? 0 : (missing(x) ? 1 : -1) * (direction === "asc" ? 1 : -1);
  return x - y;
}

Report.labelOfRow = (row) => {
  const text = Report.element("span", "", row.label);
  for (const [mark, meaning] of row.marks) {
    const shown = Report.element("span", "caveat", ` ${mark}`);
    shown.title = meaning;
    text.append(shown);
  }
  return text;
};

Report.valueCell = (column, row, value) => {
  const ours = value.text // a word in place of a value, such as `not collected`
    ? Report.element("span", "muted", value.text)
    : Report.element(value.lead ? "b" : "span", "ours", Report.figure(value.mean, column.places));
  const line = Report.element("span", "line", ours);
  if (typeof value.sd === "number") line.append(Report.element("span", "sd", `±${Report.figure(value.sd, column.places)}`));
  if (value.lead && value.mark) line.append(Report.element("sup", "", value.mark));
  const box = Report.element("span", "cell", line);
  if (typeof value.published === "number" && !value.text) {
    const decimals = Math.max(column.places, String(value.published).split(".")[1]?.length ?? 0); // as printed
    box.append(Report.element("span", "line muted", `${Report.figure(value.published, decimals)} `,
      Report.element("span", "difference", typeof value.difference === "number" ? Report.figure(value.difference, column.places, true) : "")));
  } else if (value.printed) {
    box.append(Report.element("span", "line muted", value.printed)); // a bound such as >600; beside a word, such as a setting
  } else if (typeof value.difference === "number") {
    box.append(Report.element("span", "line muted", Report.figure(value.difference, column.places, true), value.mark));
  }
  const target = Report.itemsBehind(column, row);
  if (!target || typeof value.mean !== "number") return box;
  const link = Report.element("a", "behind", box);
  link.href = target;
  return link;
};

const leads = {
  best: "best, not significantly",
  models: "significantly better than every other, between these trained models",
  systems: "significantly better than every other system",
};

function about(column, row, value) {
  const shown = (number) => Report.figure(number, column.places + 1);
  const lines = [`${column.name}, ${row.label}`];
  if (typeof value.mean !== "number") lines.push(value.text || "not defined for this system");
  else lines.push(`mean ${shown(value.mean)}` + (value.n > 1 ? ` over ${value.n} seeds` : ""));
  if (typeof value.sd === "number") lines.push(`sd ${shown(value.sd)}`);
  if (typeof value.low === "number") lines.push(`95 % interval ${shown(value.low)} to ${shown(value.high)}`);
  if (value.printed) lines.push(`published ${value.printed}`);
  if (typeof value.difference === "number") lines.push(`difference ${Report.figure(value.difference, column.places + 1, true)}`);
  if (typeof value.p === "number") lines.push(`p ${shown(value.p)}`);
  if (typeof value.t === "number") lines.push(`p ${shown(value.t)} by the paired t-test`);
  if (value.lead) lines.push(leads[value.lead]);
  if (Report.itemsBehind(column, row)) lines.push("Click: the items behind it");
  return Report.tooltip(...lines);
}
