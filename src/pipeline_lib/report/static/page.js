"use strict";
// Starts the page: data, tables, explorer, and the place in the contents.

Report.receiveData = (data) => {
  Report.data = data;
  Report.labels = new Map(Object.entries(data.labels));
  Report.start();
};

/** Keep the view in the address without a new entry in the history. */
Report.remember = (hash) => {
  if (Report.asked) history.replaceState(null, "", "#" + hash);
};

Report.start = () => {
  Report.showTables();
  Report.prepareRecords();
  const section = document.getElementById("items");
  if (section) startExplorer(section);
  followContents();
};

function startExplorer(section) {
  const explorer = (Report.explorer = new Report.Explorer());
  const follow = () => {
    if (!location.hash.startsWith("#items?")) return false;
    Report.asked = true;
    const arrive = () => section.scrollIntoView({ behavior: "instant" }); // the page grows while it loads
    arrive();
    explorer.open(new URLSearchParams(location.hash.slice("#items?".length))).then(arrive);
    return true;
  };
  window.addEventListener("hashchange", follow);
  section.addEventListener("input", () => { Report.asked = true; }, true);
  section.addEventListener("click", () => { Report.asked = true; }, true);
  if (follow()) return;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    if (!Report.asked) explorer.open();
  }, { rootMargin: "600px" });
  observer.observe(section);
}

/** Mark in the contents what is being read. */
function followContents() {
  const links = new Map([...document.querySelectorAll(".side a")].map((link) => [link.hash.slice(1), link]));
  const visible = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) visible[isIntersecting ? "add" : "delete"](target.id);
    const current = [...links.keys()].findLast((id) => visible.has(id));
    for (const [id, link] of links) id === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { rootMargin: "-10% 0px -70% 0px" });
  for (const id of links.keys()) {
    const target = document.getElementById(id);
    if (target) observer.observe(target);
  }
}
