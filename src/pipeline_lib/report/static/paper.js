"use strict";
// The page on paper. A grid draws only the rows and columns in sight, so plain tables of all of them replace it there.

Report.COLUMNS_ON_PAPER = 9; // as many as a landscape page has room for; further ones follow below

/** While the page is printed: each grid as plain tables, and what is folded in unfolded, but for the rows of tables of texts. */
Report.preparePaper = (grids) => {
  let restore = [];
  window.addEventListener("beforeprint", () => {
    for (const [grid, table] of grids) {
      const plain = plainTables(table, grid.getData("active"));
      grid.element.after(plain);
      restore.push(() => plain.remove());
    }
    for (const details of document.querySelectorAll("details:not([open], .records)")) {
      details.open = true;
      restore.push(() => { details.open = false; });
    }
  });
  window.addEventListener("afterprint", () => {
    for (const undo of restore) undo();
    restore = [];
  });
};

function plainTables(table, rows) {
  const parts = Math.ceil(table.columns.length / Report.COLUMNS_ON_PAPER);
  const size = Math.ceil(table.columns.length / parts);
  const starts = Array.from({ length: parts }, (_, part) => part * size);
  return Report.element("div", "printed", ...starts.map((start) => plainTable(table, rows, table.columns.slice(start, start + size))));
}

function plainTable(table, rows, columns) {
  const head = Report.element("tr", "", Report.element("th", "", Report.nameOfRows(table)), ...columns.map((column) => Report.element("th", "", column.name)));
  const lines = rows.map((row) => Report.element("tr", "", Report.element("th", "", Report.labelOfRow(row)),
    ...columns.map((column) => Report.element("td", "", Report.valueCell(column, row, row.cells[column.name])))));
  if (Report.isGrouped(table))
    for (let i = rows.length - 1; i >= 0; i--) {
      if (i && rows[i].corpus_label === rows[i - 1].corpus_label) continue;
      const corpus = Report.element("th", "", rows[i].corpus_label);
      corpus.colSpan = columns.length + 1;
      lines.splice(i, 0, Report.element("tr", "", corpus));
    }
  return Report.element("table", "", Report.element("thead", "", head), Report.element("tbody", "", ...lines));
}
