"use strict";
// A line above whatever scrolls sideways: many systems show no scroll bar until one scrolls.

/** Keep a hint before `frame` for as long as what `scroller` holds is wider than it. */
Report.hintAtScrolling = (frame, scroller) => {
  const hint = Report.element("p", "scroll-hint", "More columns at the right: scroll the table sideways →");
  frame.before(hint);
  const check = () => { hint.hidden = scroller.scrollWidth <= scroller.clientWidth + 1; };
  new ResizeObserver(check).observe(scroller);
  check();
};
