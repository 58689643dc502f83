function construction() {
  const intro = h("p", { class: "about" }, "Candidates go through the stages of the method one after the other; what a stage cannot vouch for is rejected, with the rule that it broke, and drawn anew.");
  return section("construction", "Construction", data.missing.construction, intro, data.construction.map(constructedSet));
}

function constructedSet(set) {
  return h("article", { class: "set" }, h("h3", {}, set.path), h("p", {}, `Made by ${set.generator}.`.replace("Made by imported", "Imported")),
    funnel(set), costs(set), figures(set), difficulty(set), audit(set));
}

function funnel(set) {
  if (!set.funnel.length) return null;
  const most = Math.max(1, set.funnel[0].entered);
  const rows = set.funnel.map((stage) => {
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("inline-size", `${(100 * stage.left) / most}%`);
    const lost = stage.entered - stage.left;
    return h("li", {}, h("span", { class: "stage" }, stage.name), h("span", { class: "track" }, bar),
      h("span", { class: "count" }, `${stage.left.toLocaleString("en")} left`, lost ? `, ${lost.toLocaleString("en")} rejected` : ""));
  });
  const reasons = set.funnel.flatMap((stage) => Object.entries(stage.rejected).map(([rule, count]) => ({ stage: stage.name, rule, count })));
  return [h("h4", {}, "The way of the candidates"), h("p", { class: "about" }, `${many(most, "candidate")}; ${many(set.given_up, "item")} given up after every attempt was rejected.`),
    h("ol", { class: "funnel" }, rows),
    reasons.length > 0 && table("Why candidates were rejected", [["stage", (row) => row.stage], ["rule", (row) => words(row.rule)], ["candidates", (row) => number(row.count), "number"]], reasons),
    set.examples.length > 0 && folded("some of them in words", h("ul", {}, set.examples.map((text) => h("li", {}, text)))),
    Object.keys(set.verification).length > 0 && h("p", {}, `Calls in the sandbox that proved what was accepted: ${counts(set.verification)}.`)];
}

function costs(set) {
  if (!set.costs.length) return null;
  const columns = [["stage", (row) => row.stage], ["questions to models", (row) => number(row.calls), "number"], ["tokens read", (row) => number(row.input), "number"],
    ["tokens written", (row) => number(row.output), "number"], ["dollars", (row) => (row.usd === null ? "not known" : row.usd.toFixed(2)), "number"]];
  return [h("h4", {}, "Cost"), table("What was asked of models", columns, set.costs, (row) => row.stage === "all")];
}

function figures(set) {
  const columns = [["scenario", (row) => words(row.scenario)], ["tasks", (row) => number(row.tasks), "number"],
    ...["tools", "distractors", "golds", "parameters", "code_lines", "question_characters"].map((name) =>
      [{ parameters: "parameters of a tool", code_lines: "code lines of a tool", question_characters: "characters of a question" }[name] || name, (row) => (row[name] === null ? "–" : row[name].toFixed(1)), "number"])];
  if (!set.scenarios.length) return null;
  return [h("h4", {}, "What the tasks are like"), table("Means over the tasks of a scenario", columns, set.scenarios, (row) => row.scenario === "all"),
    h("p", {}, `${many(set.distinct_sources, "different tool source")}.`)];
}

function difficulty(set) {
  return set.difficulty.map((of) => [h("h4", {}, `Difficulty for “${of.label}”`),
    h("p", { class: "about" }, `Tasks whose golds were never, sometimes or always all brought back, by ${of.profile}.`),
    stackedBars([["never", "worst"], ["in part", "middle"], ["always", "best"]], of.rows.map((row) => [words(row.scenario), [row.never, row.sometimes, row.always]]))]);
}

function audit(set) {
  if (!set.audit) return null;
  const { report, of } = set.audit;
  const found = Object.entries(report.probes).filter(([, probe]) => probe.findings).map(([name, probe]) => ({ name, ...probe }));
  const paid = (row, profile) => (profile in row.paid ? number(row.paid[profile]) : "");
  const columns = [["probe", (row) => words(row.name)], ["tasks", (row) => number(row.tasks), "number"], ["findings", (row) => number(row.findings), "number"],
    ["severities", (row) => counts(row.severities)], ...Object.keys(report.profiles).map((profile) => [`paid by ${profile}`, (row) => paid(row, profile), "number"])];
  const worst = report.worst.map((task) => h("li", {}, `${task.grade}, row ${task.row}: ${task.summary}. `, h("q", {}, task.question)));
  return [h("h4", {}, "Audit: what the tasks would pay for nothing"),
    h("p", { class: "about" }, `${report.tasks} of ${many(of, "task")}, evenly spread; ${many(report.calls, "call")} in the sandbox. A has no finding that matters, D pays for nothing or not for honest work.`),
    stackedBars(Object.keys(report.grades).map((grade, at) => [grade, ["best", "middle", "worst", "severe"][at]]), [["grades", Object.values(report.grades)]]),
    found.length > 0 && table("What the probes found", columns, found),
    worst.length > 0 && folded("the worst tasks", h("ul", {}, worst))];
}
