// The page: who rates, which context is shown, what the keys do, export and import.

const at = (id) => document.getElementById(id);
let answers = null;
let position = 0;

const grid = new Grid((response, aspect, value) => {
  if (!answers.set(sheet.items[position], response, aspect, value)) warnOfStorage();
  progress();
});

function warnOfStorage() {
  announce("This browser does not keep your answers. Export them before you close the page.");
}

function announce(text) {
  at("alert").textContent = text;
  at("alert").hidden = !text;
}

// --- start ---

function start() {
  at("rater").value = storage?.getItem(lastRaterKey) ?? "";
  at("rating").hidden = true;
  at("start").hidden = false;
  kept();
  (at("rater").value ? at("go") : at("rater")).focus();
  if (!storage) warnOfStorage();
}

function kept() {
  const done = at("rater").value.trim() ? Answers.of(at("rater").value.trim()).completed() : 0;
  at("kept").textContent = done ? `${done} of ${sheet.items.length} contexts rated under this name.` : "";
  at("go").textContent = done ? "Continue" : "Start";
}

function begin(given) {
  answers = given;
  at("leave").textContent = answers.rater;
  at("start").hidden = true;
  at("rating").hidden = false;
  const unrated = sheet.items.findIndex((item) => !answers.isComplete(item));
  show(unrated < 0 ? 0 : unrated);
}

async function opened(file) {
  try {
    const read = answersOf(await file.text());
    if (!read.rater) read.rater = at("rater").value.trim() || file.name.replace(/\.csv$/i, "");
    announce("");
    const here = Answers.of(read.rater).completed();
    const question = `This browser keeps ${here} rated contexts of ${read.rater}, the file has ${read.completed()}. Take the file's?`;
    if (here > read.completed() && !confirm(question)) return;
    if (!read.save()) warnOfStorage();
    begin(read);
  } catch (error) {
    announce(error.message);
  }
}

// --- rating ---

function show(index) {
  position = Math.max(0, Math.min(index, sheet.items.length - 1));
  const item = sheet.items[position];
  at("context").textContent = item.context;
  at("history").replaceChildren(...item.history.map((text) => element("li", {}, text)));
  at("history-section").hidden = !item.history.length;
  at("position").textContent = `Context ${position + 1} of ${sheet.items.length}`;
  at("previous").disabled = position === 0;
  at("next").disabled = position === sheet.items.length - 1;
  grid.show(item, answers);
  progress();
  scrollTo(0, 0);
}

function progress() {
  const done = answers.completed();
  const missing = answers.missing(sheet.items[position]);
  at("progress").value = done;
  at("count").textContent = `${done} of ${sheet.items.length} rated`;
  at("unrated").disabled = done === sheet.items.length;
  const all = done === sheet.items.length;
  at("status").className = missing ? "" : "done";
  at("status").textContent = all
    ? "All contexts are rated. Export your answers and send the file back. Thank you!"
    : missing
      ? `${missing} ${missing === 1 ? "answer" : "answers"} to give.`
      : "Complete. Enter goes to the next context.";
}

function nextUnrated() {
  const order = sheet.items.map((_, i) => (position + 1 + i) % sheet.items.length);
  const found = order.find((i) => !answers.isComplete(sheet.items[i]));
  if (found !== undefined) show(found);
}

function enter() {
  const empty = grid.firstEmpty();
  if (empty) grid.focus(...empty);
  else nextUnrated();
}

function save() {
  const link = element("a", {
    href: URL.createObjectURL(new Blob([csvOf(answers)], { type: "text/csv" })),
    download: `${sheet.sheet}-${answers.rater.replace(/[^\p{L}\p{N}_-]+/gu, "-")}.csv`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  answers.unsaved = false;
  at("status").textContent = `Exported as ${link.download}, ${answers.completed()} of ${sheet.items.length} contexts rated.`;
}

// --- events ---

const actions = {
  Enter: enter,
  PageDown: () => show(position + 1),
  PageUp: () => show(position - 1),
};

document.addEventListener("keydown", (event) => {
  if (at("rating").hidden) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "s") save();
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === "Enter" && event.target.closest("button:not(td button)")) return; // the button's own
  else if (event.key in actions) actions[event.key]();
  else if (!grid.key(event.key)) return;
  event.preventDefault();
});

at("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  const rater = at("rater").value.trim();
  if (!rater) return;
  const given = Answers.of(rater);
  given.save();
  begin(given);
});
at("rater").addEventListener("input", kept);
at("file").addEventListener("change", async () => {
  await opened(at("file").files[0]);
  at("file").value = ""; // so that the same file can be chosen again
});
at("import").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") at("file").click();
});
at("previous").addEventListener("click", () => show(position - 1));
at("next").addEventListener("click", () => show(position + 1));
at("unrated").addEventListener("click", nextUnrated);
at("export").addEventListener("click", save);
at("leave").addEventListener("click", start);
addEventListener("beforeunload", (event) => {
  if (answers?.unsaved) event.preventDefault(); // the browser asks before it closes the page
});

at("task").textContent = task();
for (const list of [at("criteria"), at("reminder")]) {
  for (const { name, criterion } of sheet.aspects) list.append(element("dt", {}, name), element("dd", {}, criterion));
}
const answersTo = oneScale ? [0] : aspects.map((_, column) => column);
for (const column of answersTo) {
  const what = oneScale ? "scale" : `scale of ${aspects[column]}`;
  at("reminder").append(element("dt", {}, what), element("dd", {}, anchors(column)));
}
const keysOf = (column) =>
  scales[column].kind === "yes_no" ? "Y N" : `${choices[column][0]}–${choices[column][choices[column].length - 1]}`;
const shortcuts = [
  [[...new Set(answersTo.map(keysOf))].join(", "), oneScale && scales[0].kind === "rank" ? "give the place" : "answer"],
  ["← ↑ ↓ →", "move"],
  ["Backspace", "clear"],
  ["Enter", "next empty cell, next context"],
  ["Page Up / Down", "other contexts"],
  ["Ctrl S", "export"],
];
at("shortcuts").append(
  ...shortcuts.map(([keys, meaning]) => element("span", {}, element("kbd", {}, keys), ` ${meaning}`)),
);

start();
