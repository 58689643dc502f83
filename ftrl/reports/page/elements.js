// Elements of the page. Whatever a model or a tool said gets in as text, and in no other way.

const data = JSON.parse(document.getElementById("data").textContent);

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

// The same element with other content.
function refill(node, ...children) {
  node.replaceChildren();
  return fill(node, {}, children);
}

const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const words = (name) => String(name).replaceAll("_", " ");
const many = (number, noun, plural) => `${number.toLocaleString("en")} ${number === 1 ? noun : plural || noun + "s"}`;
const share = (value, digits = 1) => `${(100 * value).toFixed(digits)} %`;

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : value.toFixed(digits);
}

const signed = (value, digits = 3) => (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(digits);

// Ids for elements that name each other.
let given = 0;
const newId = (what) => `${what}-${++given}`;

function section(id, title, missing, ...content) {
  const body = missing ? h("p", { class: "missing" }, missing) : content;
  return h("section", { id, "aria-labelledby": `${id}-title`, class: "part" }, h("h2", { id: `${id}-title` }, title), body);
}

const folded = (summary, ...content) => h("details", {}, h("summary", {}, summary), h("div", { class: "inside" }, content));

const scrolling = (label, ...content) =>
  h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label }, content);

const code = (text, label) => h("pre", { class: "code", tabindex: 0, role: "group", "aria-label": label }, h("code", {}, text));

// A list of buttons beside what the chosen one shows, with filters above it.
function browser({ label, filters, items, entry, show, empty }) {
  // One stop of the tab key for the whole list; arrow keys go up and down in it.
  const list = h("ul", { class: "entries", "aria-label": label, onkeydown: (event) => {
    const all = [...buttons.values()];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all[to]) return;
    event.preventDefault();
    all[to].focus();
    all[to].click();
  } });
  const detail = h("div", { class: "detail" });
  const count = h("p", { class: "count", role: "status" });
  const buttons = new Map();
  let chosen = null;
  function choose(item) {
    chosen = item;
    for (const [of, button] of buttons) {
      button.setAttribute("aria-current", of === item ? "true" : "false");
      button.tabIndex = of === item ? 0 : -1;
    }
    refill(detail, show(item));
  }
  function refresh() {
    const fitting = items.filter((item) => filters.every((filter) => filter.fits(item)));
    buttons.clear();
    for (const item of fitting) buttons.set(item, h("button", { type: "button", onclick: () => choose(item) }, entry(item)));
    refill(list, [...buttons.values()].map((button) => h("li", {}, button)));
    count.textContent = `${fitting.length} of ${items.length}`;
    if (fitting.length) choose(fitting.includes(chosen) ? chosen : fitting[0]);
    else refill(detail, h("p", { class: "missing" }, empty));
  }
  for (const filter of filters) filter.changed = refresh;
  refresh();
  const bar = h("div", { class: "filters" }, filters.map((filter) => filter.node), count);
  const box = scrolling(label, list);
  return { node: h("div", { class: "browser" }, h("div", { class: "choose" }, bar, box), detail), choose };
}

// Choices for a filter: every value that occurs, and all of them.
function choice(label, values, of, shown = words) {
  const filter = { changed: () => {} };
  const select = h("select", { id: newId("choice"), onchange: () => filter.changed() });
  select.append(h("option", { value: "" }, "all"), ...values.map((value) => h("option", { value }, shown(value))));
  filter.node = values.length > 1 && h("p", { class: "filter" }, h("label", { for: select.id }, label), select);
  filter.fits = (item) => !select.value || String(of(item)) === select.value;
  return filter;
}

function search(label, of) {
  const filter = { changed: () => {} };
  const input = h("input", { id: newId("search"), type: "search", oninput: () => filter.changed() });
  filter.node = h("p", { class: "filter" }, h("label", { for: input.id }, label), input);
  filter.fits = (item) => of(item).toLowerCase().includes(input.value.trim().toLowerCase());
  return filter;
}

const occurring = (items, of) => [...new Set(items.map(of))].filter((value) => value !== "" && value !== null).map(String);
