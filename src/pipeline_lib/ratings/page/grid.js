// The responses to one context, a row each, with a cell for each aspect; one cell has the focus.

class Grid {
  constructor(onAnswer) {
    this.onAnswer = onAnswer; // (response, aspect, value or undefined)
    this.body = document.getElementById("body");
    const head = document.getElementById("head");
    document.getElementById("grid").classList.toggle("many", choices.some((values) => values.length > 6)); // narrower, to stay on one line
    head.append(element("th", { role: "columnheader" }, "Response"));
    this.headers = sheet.aspects.map(({ name, criterion }, column) => {
      const scale = element("span", { class: "anchors" }, anchors(column));
      return element("th", { role: "columnheader" }, name, element("span", {}, criterion), scale);
    });
    head.append(...this.headers);
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("focusin", (event) => this.focused(event));
  }

  show(item, answers) {
    this.item = item;
    this.answers = answers;
    this.typed = "";
    this.cells = item.responses.map((response, row) => aspects.map((aspect, column) => this.cell(row, column)));
    this.body.replaceChildren(
      ...item.responses.map((response, row) => {
        const mark = element("span", { class: "letter", "aria-hidden": "true" }, letter(row));
        const text = element("span", { class: "text" }, response.text || "(no words)");
        const shown = element("div", { class: "response" }, mark, text);
        return element("tr", { role: "row" }, element("th", { role: "rowheader" }, shown), ...this.cells[row]);
      }),
    );
    this.refresh();
    const [row, column] = this.firstEmpty() ?? [0, 0];
    this.focus(row, column);
  }

  cell(row, column) {
    const buttons = choices[column].map((value) =>
      element("button", { type: "button", tabindex: "-1", "data-value": value }, nameOf(value, column)),
    );
    const name = element("span", { class: "aspect", "aria-hidden": "true" }, aspects[column]);
    const place = { role: "gridcell", tabindex: "-1", "data-row": row, "data-column": column };
    return element("td", place, name, element("div", { class: "choices" }, ...buttons));
  }

  refresh() {
    this.cells.forEach((cells, row) =>
      cells.forEach((cell, column) => {
        const value = this.answers.get(this.item, this.item.responses[row], aspects[column]);
        cell.classList.toggle("answered", value !== undefined);
        const said = value === undefined ? "empty" : nameOf(value, column);
        cell.setAttribute("aria-label", `${letter(row)}, ${aspects[column]}: ${said}`);
        for (const button of cell.querySelectorAll("button")) {
          button.setAttribute("aria-pressed", String(Number(button.dataset.value) === value));
        }
      }),
    );
  }

  // Cells in the order in which they are filled: one aspect of every response, then the next aspect.
  firstEmpty() {
    for (let column = 0; column < aspects.length; column++) {
      for (let row = 0; row < this.cells.length; row++) {
        if (this.answers.get(this.item, this.item.responses[row], aspects[column]) === undefined) return [row, column];
      }
    }
    return null;
  }

  focus(row, column) {
    const within = (index, size) => Math.max(0, Math.min(index, size - 1));
    this.cells[within(row, this.cells.length)][within(column, aspects.length)].focus();
  }

  focused(event) {
    const cell = event.target.closest("td");
    if (!cell || cell === this.current) return;
    this.current?.setAttribute("tabindex", "-1");
    cell.setAttribute("tabindex", "0");
    this.current = cell;
    this.typed = "";
    [this.row, this.column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    this.headers.forEach((header, column) => header.classList.toggle("current", column === this.column));
  }

  clicked(event) {
    const cell = event.target.closest("td");
    if (!cell) return;
    cell.focus();
    const button = event.target.closest("button");
    if (!button) return;
    const again = button.getAttribute("aria-pressed") === "true";
    this.answer(again ? undefined : Number(button.dataset.value));
  }

  answer(value) {
    this.onAnswer(this.item.responses[this.row], aspects[this.column], value);
    this.refresh();
  }

  advance() {
    if (this.row + 1 < this.cells.length) this.focus(this.row + 1, this.column);
    else if (this.column + 1 < aspects.length) this.focus(0, this.column + 1);
  }

  // True if the key meant something here.
  key(key) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (key in moves) this.focus(this.row + moves[key][0], this.column + moves[key][1]);
    else if (key === "Backspace" || key === "Delete") {
      this.typed = "";
      this.answer(undefined);
    } else if (key in keysOfValues[this.column]) {
      this.answer(keysOfValues[this.column][key]);
      this.advance();
    } else if (/^[0-9]$/.test(key)) this.digit(key);
    else return false;
    return true;
  }

  // Places above 9 have two digits: after one that may be the first of two, the cell keeps the focus.
  digit(key) {
    const values = choices[this.column];
    const value = [Number(this.typed + key), Number(key)].find((number) => values.includes(number));
    if (value === undefined) return;
    this.typed = String(value);
    this.answer(value);
    const mayGoOn = values.some((choice) => choice !== value && String(choice).startsWith(this.typed));
    if (!mayGoOn) this.advance();
  }
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children); // strings become text, never markup
  return made;
}
