"use strict";
// Elements and texts. Texts of a run become text nodes, never markup.

/** An element with a class and children: elements or texts. */
Report.element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

/** `text` with every occurrence of `query` marked. */
Report.marked = (text, query) => {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (let at; query && (at = text.indexOf(query, from)) >= 0; from = at + query.length)
    fragment.append(text.slice(from, at), Report.element("mark", "", query));
  fragment.append(text.slice(from));
  return fragment;
};

/** `text` for a cell that is cut off at its end: it begins shortly before the first match. */
Report.nearMatch = (text, query) => {
  const at = query ? text.indexOf(query) : 0;
  return at > 16 ? "… " + text.slice(text.indexOf(" ", at - 12) + 1) : text;
};

/** A figure with so many decimals; a dash where there is none. */
Report.figure = (value, places, sign = false) => {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const options = { minimumFractionDigits: places, maximumFractionDigits: places, signDisplay: sign ? "exceptZero" : "auto" };
  return value.toLocaleString("en-GB", options).replace("-", "−");
};

/** What a metric means, for a tooltip. */
Report.aboutMetric = (name, signatures = []) => {
  const about = Report.data.metrics[name];
  if (!about) return Report.tooltip(name);
  const better = about.better ? `${about.better} is better` : "neither direction is better";
  return Report.tooltip(name, `${about.meaning}.`, better, ...signatures);
};
