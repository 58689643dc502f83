let chooseTask = () => {};

function tasks() {
  if (data.missing.tasks) return section("tasks", "Tasks", data.missing.tasks);
  const browse = data.tasks;
  const made = browser({
    label: "Tasks", items: browse.tasks, empty: "No task fits these filters.",
    filters: [choice("scenario", occurring(browse.tasks, (task) => task.scenario), (task) => task.scenario),
      choice("set", occurring(browse.tasks, (task) => task.set), (task) => task.set, (at) => browse.sets[at]), search("search", (task) => `${task.question} ${task.id} ${task.golds.map((gold) => gold.value).join(" ")}`)],
    entry: (task) => [h("span", { class: "small" }, `${words(task.scenario)} · ${task.split} ${task.row}`), h("span", { class: "asked" }, lastLine(task.question))],
    show: taskPage,
  });
  chooseTask = (id) => {
    made.choose(browse.tasks.find((task) => task.id === id));
    document.getElementById("tasks").scrollIntoView();
  };
  return section("tasks", "Tasks", null, h("p", { class: "about" }, `${browse.tasks.length} of ${many(browse.of, "task")} are here: ${browse.chosen}.`), made.node);
}

// The question proper comes last; before it stand instructions, the same in every task.
const lastLine = (question) => question.trim().split("\n").at(-1).replace(/^Question:\s*/, "");
const brief = (text) => (text.length > 90 ? `${text.slice(0, 88)}…` : text);

function taskPage(task) {
  const scores = Object.entries(task.scores);
  const golds = task.golds.map((gold) => h("li", {}, h("code", {}, gold.tool), " must bring back ", h("strong", {}, gold.value), gold.sub_question && ` (${gold.sub_question})`));
  return [h("h3", {}, `${words(task.scenario)}, ${task.split} ${task.row}`), h("p", { class: "small" }, task.id),
    h("p", { class: "question" }, task.question), task.answer !== null && h("p", {}, "Answer: ", h("strong", {}, task.answer)),
    scores.length > 0 && h("p", {}, "F1: ", scores.map(([label, f1]) => `${label} ${f1.toFixed(2)}`).join(", ")),
    h("h4", {}, "How it comes apart"), dependencyTree(task), task.tree && folded("the tree as text", code(task.tree, "Dependency tree as text")),
    h("h4", {}, `Golds (${task.golds.length})`), h("ol", {}, golds),
    h("h4", {}, `Tools (${task.tools.length})`), task.tools.map(toolDocument),
    task.provenance && folded("where the task comes from", code(task.provenance, "Provenance"))];
}

function toolDocument(tool) {
  const source = tool.source && data.tasks.sources[tool.source];
  return folded([h("code", {}, tool.name), tool.distractor && h("span", { class: "tag" }, "distractor"), h("span", { class: "small" }, ` ${brief(tool.description)}`)],
    brief(tool.description) !== tool.description && h("p", {}, tool.description), h("h5", {}, "Document"), code(tool.parameters, `Parameters of ${tool.name}`),
    source && [h("h5", {}, "Source"), code(source, `Source of ${tool.name}`)]);
}
