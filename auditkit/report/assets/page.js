"use strict";
// Words of a mark on hover, or of the nearest mark within reach: dots are small and fingers are not.
const tip = document.getElementById("tip");
const REACH = 16;
const LABELLED = ".role-mark [aria-label]";
function nearest(svg, x, y) {
  let best = null;
  let least = REACH;
  for (const mark of svg.querySelectorAll(LABELLED)) {
    const box = mark.getBoundingClientRect();
    const away = Math.hypot(
      Math.max(box.left - x, 0, x - box.right),
      Math.max(box.top - y, 0, y - box.bottom)
    );
    if (away < least) {
      least = away;
      best = mark;
    }
  }
  return best;
}
function show(event) {
  const svg = event.target.closest(".chart svg");
  const mark = svg && (event.target.closest(LABELLED) || nearest(svg, event.clientX, event.clientY));
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.getAttribute("aria-label");
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  const above = event.clientY - tip.offsetHeight - 12;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above > 4 ? above : event.clientY + 18}px`;
}
document.addEventListener("pointermove", show);
document.addEventListener("pointerdown", show);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// Tables sort by the exact values where there are any; empty cells stay below either way.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const place = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const number = head.classList.contains("number");
    const key = (row) => {
      const cell = row.cells[place];
      const text = cell.dataset.value || cell.dataset.low || cell.textContent.trim();
      if (text === "") return null;
      return number ? Number(text) : text;
    };
    const order = (a, b) => {
      const [one, two] = [key(a), key(b)];
      if (one === null || two === null) return (one === null) - (two === null);
      const less = number ? one - two : one.localeCompare(two);
      return down ? -less : less;
    };
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort(order));
  });
}

// A link to a folded reply opens it; on paper everything is open but the tables behind figures, which are in the CSV files.
function open() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
}
window.addEventListener("hashchange", open);
open();
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open]):not(.numbers)")];
  for (const part of folded) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
});
if (window.matchMedia("(max-width: 1079px)").matches) document.querySelector("nav details").open = false;
