// What is to be rated: the sheet that the workflow put into this page.

const sheet = JSON.parse(document.getElementById("sheet").textContent);
const aspects = sheet.aspects.map((aspect) => aspect.name);
const responsesOfItem = sheet.items.length ? sheet.items[0].responses.length : 0;

// The values that may be given, in the order in which they are shown.
const choices = {
  rank: Array.from({ length: responsesOfItem }, (_, place) => place + 1),
  score: sheet.scale.values,
  yes_no: [1, 0],
}[sheet.scale.kind];

const keysOfValues = sheet.scale.kind === "yes_no" ? { y: 1, n: 0 } : {};

function nameOf(value) {
  return sheet.scale.kind === "yes_no" ? (value ? "yes" : "no") : String(value);
}

// A, B, ... in the order shown; another one in every context.
function letter(index) {
  return index < 26 ? String.fromCharCode(65 + index) : `R${index + 1}`;
}

function anchors() {
  const last = choices[choices.length - 1];
  if (sheet.scale.kind === "rank") return `1 best – ${last} worst`;
  if (sheet.scale.kind === "score") return `${choices[0]} worst – ${last} best`;
  return "yes or no";
}

function task() {
  const what = `${sheet.items.length} contexts from conversations, each with ${responsesOfItem} responses in an order of its own.`;
  const how = {
    rank: `For each aspect give every response its place, 1 for the best. Ties are allowed: equally good responses get the same place.`,
    score: `For each aspect give every response a score from ${choices[0]} (worst) to ${choices[choices.length - 1]} (best).`,
    yes_no: `For each aspect say of every response whether it holds.`,
  }[sheet.scale.kind];
  return `${what} ${how}`;
}
