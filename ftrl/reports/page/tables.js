// Tables that scroll in their own box.

// columns: [heading, row => content, "number" | "text"]; the first names the row.
function table(caption, columns, rows, emphasised = () => false) {
  const head = h("tr", {}, columns.map(([heading, , kind]) => h("th", { scope: "col", class: kind || "text" }, heading)));
  const body = rows.map((row) =>
    h("tr", { class: emphasised(row) ? "whole" : null }, columns.map(([, content, kind], at) =>
      at ? h("td", { class: kind || "text" }, content(row)) : h("th", { scope: "row", class: kind || "text" }, content(row)))));
  return scrolling(caption, h("table", {}, h("caption", {}, caption), h("thead", {}, head), h("tbody", {}, body)));
}

// An object of counts, as one line.
const counts = (of) => Object.entries(of).map(([name, count]) => `${words(name)} ${count.toLocaleString("en")}`).join(", ") || "none";
