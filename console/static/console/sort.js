// A table of class `sortable` is sorted by the button in a column's title, once more the other way round.
"use strict";
document.querySelectorAll("table.sortable").forEach((table) => {
  const titles = [...table.tHead.rows[0].cells];
  const value = (row, column) => row.cells[column].dataset.v;
  table.tHead.addEventListener("click", (event) => {
    const title = event.target.closest("button.sort") && event.target.closest("th");
    if (!title) return;
    const column = titles.indexOf(title);
    const words = [...table.tBodies[0].rows].some((row) => Number.isNaN(Number(value(row, column))));
    const next = title.getAttribute("aria-sort");
    const ascending = next === "none" ? words : next === "descending"; // words from A, figures from the largest
    titles.forEach((other) => { if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none"); });
    title.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const order = (a, b) => words ? value(a, column).localeCompare(value(b, column)) : Number(value(a, column)) - Number(value(b, column));
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => (ascending ? order(a, b) : order(b, a))));
  });
});
