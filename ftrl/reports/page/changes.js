const FIGURES = {
  relative: ["relative change", "‖tuned − base‖ / ‖base‖", (value) => number(value, 4)],
  share: ["share of the whole change", "of the model’s ‖tuned − base‖²: large modules weigh more", (value) => share(value, 2)],
  changed: ["numbers that changed", "share of the numbers that differ at all", (value) => share(value, 1)],
};

function changes() {
  if (data.missing.changes) return section("changes", "What changed in the model", data.missing.changes);
  const of = data.changes;
  const box = h("div", {});
  const name = newId("figure");
  const radios = Object.entries(FIGURES).map(([figure, [title]], at) => {
    const id = newId("figure");
    return h("span", {}, h("input", { type: "radio", name, id, value: figure, checked: at === 0, onchange: () => refill(box, heat(of, figure)) }), h("label", { for: id }, title));
  });
  refill(box, heat(of, "relative"));
  return section("changes", "What changed in the model", null,
    h("p", {}, `${of.base} → ${of.tuned}: ${of.architecture}, ${many(of.elements, "number")}; ${number(of.relative, 4)} of its norm moved, ${share(of.changed)} of the numbers differ.`),
    of.notes.map((note) => h("p", { class: "note" }, note)), h("fieldset", { class: "choices" }, h("legend", {}, "Figure"), radios), box,
    h("p", { class: "about" }, "A norm tells where training wrote, not what that is good for: ", h("code", {}, "ftrl model graft"), " puts a claim to the test."));
}

// A name of parts, which may be broken behind each.
const breakable = (name) => name.split(/(?<=[._])/).map((part, at) => [at > 0 && h("wbr"), part]);

function heat(of, figure) {
  const [, about, shown] = FIGURES[figure];
  const peak = (cells) => Math.max(0, ...cells.map((cell) => cell[figure] || 0));
  const cell = (one, highest) => {
    if (!one) return h("td", {});
    const value = one[figure];
    const node = h("td", { class: "number heat", title: `${one.module}${one.layer === null ? "" : `, layer ${one.layer}`}: ${one.elements.toLocaleString("en")} numbers, largest change ${number(one.largest)}` }, shown(value));
    node.style.setProperty("--heat", value && highest ? Math.max(0, 1 + Math.log10(value / highest)) : 0);
    return node;
  };
  const at = new Map(of.cells.map((one) => [`${one.layer} ${one.module}`, one]));
  const rows = of.layers.map((layer) => h("tr", {}, h("th", { scope: "row", class: "number" }, layer), of.modules.map((module) => cell(at.get(`${layer} ${module}`), peak(of.cells)))));
  const map = h("table", { class: "heatmap" }, h("caption", {}, `${FIGURES[figure][0]}, layers down, modules across`), h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "number" }, "layer"), of.modules.map((module) => h("th", { scope: "col", class: "number" }, breakable(module))))), h("tbody", {}, rows));
  const others = (caption, cells) => cells.length > 0 && scrolling(caption, h("table", { class: "heatmap" }, h("caption", {}, caption),
    h("tbody", {}, cells.map((one) => h("tr", {}, h("th", { scope: "row" }, one.module), cell(one, peak(cells)))))));
  return [h("p", { class: "about" }, `${about}. Colour goes by the logarithm and fades out at a tenth of the largest value; the number stands in every cell.`), scrolling("Heat map", map),
    h("div", { class: "beside" }, others("Outside of the layers", of.outside), others("Families, over all layers", of.families))];
}
