"use strict";
// All rows of a table of texts, of which the page prints the first: each column can be searched or narrowed down.

Report.MOST_CHOICES = 30; // different values of a column that are offered as a list; of more, one is typed

Report.receiveRecords = (name, records) => Report.showRecords(document.querySelector(`[data-records="${CSS.escape(name)}"]`), records);

/** Load the rows of a table when they are first unfolded: each table's are a script of its own. */
Report.prepareRecords = () => {
  for (const details of document.querySelectorAll("details[data-records]"))
    details.addEventListener("toggle", () => loadRecords(details.dataset.records, details.querySelector(".shown")), { once: true });
};

function loadRecords(name, status) {
  const script = document.createElement("script");
  script.src = `files/records/${name}.js`;
  script.onload = () => script.remove();
  script.onerror = () => { status.textContent = `files/records/${name}.js is not beside the page: copy the whole folder`; };
  document.head.append(script);
}

/** `records`: names of the columns and rows of values, as records.py wrote them. */
Report.showRecords = (details, { names, rows }) => {
  const summary = details.querySelector(".shown");
  const grid = Report.grid(details.querySelector(".rows"), {
    data: rows.map((row) => Object.fromEntries(row.map((value, i) => [`c${i}`, value]))),
    layout: "fitColumns",
    maxHeight: "34rem",
    columns: names.map((name, i) => columnOfRecords(name, `c${i}`, rows.map((row) => row[i]))),
  });
  const tell = (found) => { summary.textContent = `${found.length.toLocaleString("en-GB")} of ${rows.length.toLocaleString("en-GB")} rows`; };
  grid.on("dataFiltered", (_, found) => tell(found));
  grid.on("tableBuilt", () => tell(rows));
};

function columnOfRecords(name, field, values) {
  const present = values.filter((value) => value !== null);
  const isNumber = present.every((value) => typeof value === "number");
  const isText = !isNumber && present.some((value) => typeof value === "string");
  const places = present.every(Number.isInteger) ? 0 : 3;
  const shown = (value) => (isNumber && value !== null ? Report.figure(value, places) : String(value ?? ""));
  const choices = [...new Set(present)];
  const isChosen = choices.length <= Report.MOST_CHOICES && choices.every((value) => String(value).length <= 40);
  return {
    title: name,
    field,
    cssClass: "prose",
    hozAlign: isNumber ? "right" : "left",
    headerWordWrap: true,
    minWidth: Math.max(isText && !isChosen ? 190 : 84, 48 + 8 * Math.max(...name.split(" ").map((word) => word.length))),
    widthGrow: isText && !isChosen ? 4 : 1,
    sorter: isNumber ? "number" : "string",
    formatter: (cell) => Report.element("span", "", shown(cell.getValue())),
    headerFilter: isChosen ? selectOf(choices, shown) : searchFor(name),
    headerFilterFunc: isChosen ? (wanted, value) => keyOf(value) === wanted : (wanted, value) => isFound(wanted, shown(value), isText),
    headerFilterLiveFilter: false,
  };
}

/** The key of a value in a list, where the empty key stands for any value. */
function keyOf(value) {
  return `=${value}`;
}

/** Whether what is typed is in a text, or begins a number as it is shown, however its sign and thousands are typed. */
function isFound(wanted, text, isText) {
  if (isText) return text.toLowerCase().includes(wanted.toLowerCase());
  const plain = (number) => number.replaceAll(",", "").replace("−", "-");
  return plain(text).startsWith(plain(wanted.trim()));
}

/** A header's list of the values of its column; the library's own would take them for markup. */
function selectOf(choices, shown) {
  const sorted = [...choices].sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b))));
  return (cell, _, accept) => {
    const select = Report.element("select", "", new Option("any", ""), ...sorted.map((value) => new Option(shown(value), keyOf(value))));
    select.setAttribute("aria-label", `only ${cell.getColumn().getDefinition().title}`);
    select.addEventListener("change", () => accept(select.value));
    return select;
  };
}

function searchFor(name) {
  return (_, __, accept) => {
    const input = Report.element("input", "");
    Object.assign(input, { type: "search", placeholder: "search", spellcheck: false });
    input.setAttribute("aria-label", `search ${name}`);
    input.addEventListener("input", () => accept(input.value));
    return input;
  };
}
