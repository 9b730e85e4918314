// What is to be rated: the sheet that the workflow put into this page.

const sheet = JSON.parse(document.getElementById("sheet").textContent);
const aspects = sheet.aspects.map((aspect) => aspect.name);
const responsesOfItem = sheet.items.length ? sheet.items[0].responses.length : 0;

const scales = sheet.aspects.map((aspect) => aspect.scale);

// For each aspect the values that may be given, in the order in which they are shown.
const choices = scales.map(
  (scale) =>
    ({
      rank: Array.from({ length: responsesOfItem }, (_, place) => place + 1),
      score: scale.values,
      yes_no: [1, 0],
    })[scale.kind],
);

const keysOfValues = scales.map((scale) => (scale.kind === "yes_no" ? { y: 1, n: 0 } : {}));

function nameOf(value, column) {
  return scales[column].kind === "yes_no" ? (value ? "yes" : "no") : String(value);
}

// A, B, ... in the order shown; another one in every context.
function letter(index) {
  return index < 26 ? String.fromCharCode(65 + index) : `R${index + 1}`;
}

function anchors(column) {
  const last = choices[column][choices[column].length - 1];
  if (scales[column].kind === "rank") return `1 best – ${last} worst`;
  if (scales[column].kind === "score") return `${choices[column][0]} worst – ${last} best`;
  return "yes or no";
}

// Where all aspects have one scale, the first one's.
const oneScale = new Set(scales.map((scale) => JSON.stringify(scale))).size === 1;

function task() {
  const what = `${sheet.items.length} contexts from conversations, each with ${responsesOfItem} responses in an order of its own.`;
  if (!oneScale) return `${what} Answer every response for each aspect, on the scale at the head of its column.`;
  const [kind, values] = [scales[0].kind, choices[0]];
  const how = {
    rank: `For each aspect give every response its place, 1 for the best. Ties are allowed: equally good responses get the same place.`,
    score: `For each aspect give every response a score from ${values[0]} (worst) to ${values[values.length - 1]} (best).`,
    yes_no: `For each aspect say of every response whether it holds.`,
  }[kind];
  return `${what} ${how}`;
}
