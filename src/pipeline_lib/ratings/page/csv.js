// The CSV that the workflow imports, written and read (RFC 4180; a spreadsheet may have put semicolons or tabs).

function csvOf(answers) {
  const lines = [sheet.columns];
  for (const item of sheet.items) {
    for (const response of item.responses) {
      const given = aspects.map((aspect) => answers.get(item, response, aspect) ?? "");
      const shown = [inert(item.context), inert(response.text)];
      if (sheet.hasHistory) shown.push(inert(item.history.join("\n")));
      lines.push([sheet.sheet, inert(answers.rater), item.id, response.id, ...shown, ...given]);
    }
  }
  return "\ufeff" + lines.map((line) => line.map(quoted).join(",") + "\r\n").join("");
}

function quoted(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// A spreadsheet takes a cell that starts so for a formula.
function inert(text) {
  return /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
}

function plain(text) {
  return text.startsWith("'") && inert(text.slice(1)) === text ? text.slice(1) : text;
}

// Answers from an exported file; throws an Error that the rater can read.
function answersOf(text) {
  const [header, ...rows] = parsed(text.replace(/^\ufeff/, ""));
  const column = Object.fromEntries((header ?? []).map((name, index) => [name, index]));
  const lacking = sheet.columns.filter((name) => !(name in column));
  if (lacking.length) throw new Error(`This is no rating sheet: column ${lacking[0]} is missing.`);
  const items = new Map(sheet.items.map((item) => [item.id, item]));
  const values = {};
  const raters = new Set();
  rows.forEach((row, index) => {
    const cell = (name) => (row[column[name]] ?? "").trim();
    const where = `Row ${index + 2}`;
    if (cell("sheet") !== sheet.sheet) throw new Error(`${where}: the file belongs to another sheet, ${cell("sheet")}.`);
    const response = items.get(cell("item"))?.responses.find((one) => one.id === cell("response_id"));
    if (!response) throw new Error(`${where}: no such item or response on this sheet.`);
    if (cell("rater")) raters.add(plain(cell("rater")));
    aspects.forEach((aspect, column) => {
      if (cell(aspect) === "") return;
      const value = Number(cell(aspect));
      const may = choices[column];
      if (!may.includes(value)) throw new Error(`${where}, ${aspect}: ${cell(aspect)} is none of ${may.join(", ")}.`);
      ((values[cell("item")] ??= {})[response.id] ??= {})[aspect] = value;
    });
  });
  if (raters.size > 1) throw new Error("The file holds the answers of several raters.");
  return new Answers([...raters][0] ?? "", values);
}

function parsed(text) {
  const firstLine = text.split(/\r?\n/, 1)[0];
  const mark = [",", ";", "\t"].reduce((a, b) => (firstLine.split(b).length > firstLine.split(a).length ? b : a));
  const rows = [];
  let row = [], cell = "", inQuotes = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inQuotes) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') { cell += c; i++; }
      else inQuotes = false;
    } else if (c === '"') inQuotes = true;
    else if (c === mark) { row.push(cell); cell = ""; }
    else if (c === "\n") { rows.push([...row, cell]); row = []; cell = ""; }
    else if (c !== "\r") cell += c;
  }
  if (cell || row.length) rows.push([...row, cell]);
  return rows.filter((cells) => cells.some((one) => one.trim()));
}
