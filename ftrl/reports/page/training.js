function training() {
  return section("training", "Rewards and training curves", data.missing.training, data.training.map(iteration));
}

function iteration(of) {
  const others = of.others.length > 0 && folded(`every other metric (${of.others.length})`,
    table("First and last step", [["metric", (row) => row[0]], ["first", (row) => number(row[1]), "number"], ["last", (row) => number(row[2]), "number"]], of.others));
  return h("article", {}, h("h3", {}, of.label),
    h("p", { class: "about" }, `${of.steps.length} of ${many(of.total, "step")}${of.done ? ", merged" : ", not merged yet"}; ${many(of.episodes, "episode")} were collected for it.${of.steps.length >= SMOOTHED ? " Thin lines are single steps, thick ones their running mean over five." : ""}`),
    h("div", { class: "charts" }, of.charts.map((chart) => lineChart(chart, of.steps))), others);
}
