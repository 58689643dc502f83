const P_SMALL = 0.001;

const shownMetric = (metric) => (metric === "f1" ? "F1" : words(metric));

function evaluation() {
  if (data.missing.evaluation) return section("evaluation", "Evaluation", data.missing.evaluation);
  const { runs, differences, paper } = data.evaluation;
  const suites = occurring(runs, (run) => `${run.suite} ${JSON.stringify(run.variant)}`);
  const overviews = suites.map((suite) => suiteChart(runs.filter((run) => `${run.suite} ${JSON.stringify(run.variant)}` === suite)));
  return section("evaluation", "Evaluation", null, h("p", { class: "about" }, "Every mean stands with its 95 % interval; tasks, not trials, are what is counted."),
    overviews, differences.map(difference), runs.map(evaluated), paper && paperTable(paper));
}

function suiteChart(runs) {
  const metric = runs[0].metrics[0];
  const names = runs[0].rows.map((row) => row.name);
  const rows = names.map((name) => ({ name, points: runs.flatMap((run) => {
    const row = run.rows.find((one) => one.name === name);
    return row && row.figures[metric] ? [{ label: run.label, ...row.figures[metric] }] : [];
  }) }));
  const variant = Object.values(runs[0].variant).join(", ");
  return intervalChart({ title: `${shownMetric(metric)} on ${runs[0].suite}${variant ? `, ${variant}` : ""}`, about: "Means and their 95 % intervals.", rows, range: [0, 1], heading: "h3" });
}

function difference(of) {
  const first = of.rows[0].metric;
  const shown = of.rows.filter((row) => row.metric === first);
  const others = of.rows.filter((row) => row.metric !== first);
  const reach = Math.max(...shown.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]), 0.05) * 1.1;
  const rows = shown.map((row) => ({ name: row.part, points: [{ label: `${of.last} − ${of.first}`, mean: row.difference, low: row.low, high: row.high }] }));
  const part = ["tasks of", (row) => words(row.part)];
  const columns = [["difference", (row) => signed(row.difference), "number"],
    ["95 % interval", (row) => `${signed(row.low)} to ${signed(row.high)}`, "number"], ["p", (row) => (row.p_value < P_SMALL ? `< ${P_SMALL}` : row.p_value.toFixed(3)), "number"],
    ["tasks", (row) => number(row.tasks), "number"], ["better", (row) => number(row.better), "number"], ["worse", (row) => number(row.worse), "number"]];
  return [h("h3", {}, `From ${of.first} to ${of.last}, ${of.suite}`),
    intervalChart({ title: `Difference in ${shownMetric(first)}`, about: "Task by task, the last less the first: right of zero is better. 95 % intervals.", rows, range: [-reach, reach], format: signed }),
    table(`Differences in ${shownMetric(first)}`, [part, ...columns], shown, (row) => row.part === "all tasks"),
    others.length > 0 && folded(`the same for ${occurring(others, (row) => shownMetric(row.metric)).join(" and ")}`, table("Differences in other metrics", [part, ["metric", (row) => shownMetric(row.metric)], ...columns], others, (row) => row.part === "all tasks"))];
}

function evaluated(of) {
  const interval = (figure) => (figure.low === null ? "" : ` [${figure.low.toFixed(2)}, ${figure.high.toFixed(2)}]`);
  const cell = (figure) => (figure ? figure.mean.toFixed(3) + interval(figure) : "");
  const columns = [["tasks of", (row) => words(row.name)], ["tasks", (row) => number(Object.values(row.figures)[0].tasks), "number"],
    ...of.metrics.map((metric) => [shownMetric(metric), (row) => cell(row.figures[metric]), "number"])];
  const others = Object.entries(of.other_profiles).map(([version, scores]) => h("li", {}, `By ${version}, mean of scenarios: ${Object.entries(scores).map(([name, mean]) => `${shownMetric(name)} ${mean.toFixed(3)}`).join(", ")}`));
  return [h("h3", {}, `${of.label}: ${of.suite}`), h("p", { class: "small" }, `${of.policy} on ${of.played_on}, ${many(of.trials, "episode")} a task`),
    table(`${of.label}, by part`, columns, of.rows, (row) => row.name === of.whole),
    h("ul", { class: "plain" }, others, h("li", {}, `Episodes ended as: ${counts(of.endings)}`), h("li", {}, `Calls that did not end well: ${counts(of.failures)}`),
      of.not_run > 0 && h("li", {}, `${many(of.not_run, "episode")} could not be played and are in no figure.`))];
}

function paperTable(of) {
  const columns = of.columns.map((heading, at) => [heading, ([, cells]) => cells[at], at > 2 ? "number" : "text"]);
  return [h("h3", {}, "Beside the paper’s rows"), h("p", { class: "about" }, of.note),
    folded(`Table 2 of the paper, and this run (${of.rows.length} rows)`, table("Table 2 of the paper, and this run", columns, of.rows, ([own]) => own))];
}
