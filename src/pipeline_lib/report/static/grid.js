"use strict";
// How every Tabulator table of the page is made. The library takes texts for markup; here they become text nodes.

Report.grid = (element, { columnDefaults, ...options }) => {
  const grid = new Tabulator(element, {
    nestedFieldSeparator: false,
    columnHeaderVertAlign: "bottom",
    columnDefaults: {
      resizable: false,
      headerSortTristate: true,
      titleFormatter: (cell) => Report.element("span", "", cell.getValue()),
      formatter: (cell) => Report.element("span", "", cell.getValue() ?? ""),
      ...columnDefaults,
    },
    ...options,
  });
  grid.on("tableBuilt", () => sortWithKeys(grid));
  return grid;
};

/** Both events that end the making of a grid: a change before them is refused. */
Report.gridReady = (grid) => Promise.all(["tableBuilt", "dataProcessed"].map((event) => new Promise((resolve) => grid.on(event, resolve))));

/** `work` one call at a time: of the calls that come while it runs, the newest is made next and the others are dropped. */
Report.oneAtATime = (work) => {
  let newest = null;
  let isRunning = false;
  return async (...given) => {
    newest = given;
    if (isRunning) return;
    isRunning = true;
    try {
      while (newest) {
        const next = newest;
        newest = null;
        await work(...next);
      }
    } finally {
      isRunning = false;
    }
  };
};

/** A tooltip of several lines. */
Report.tooltip = (...lines) => Report.element("div", "", lines.filter(Boolean).join("\n"));

/** Headers take the focus; Enter and the space bar click them. */
function sortWithKeys(grid) {
  for (const header of grid.element.querySelectorAll(".tabulator-sortable")) {
    header.tabIndex = 0;
    header.addEventListener("keydown", (event) => {
      if (event.target !== header || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      header.click();
    });
  }
}
