const KINDS = { up: "gained", down: "lost", same: "stayed" };

const kindOf = (group) => (group.change === null ? "" : group.change > 0 ? "up" : group.change < 0 ? "down" : "same");

function trajectories() {
  if (data.missing.trajectories) return section("trajectories", "Trajectories", data.missing.trajectories);
  const some = data.trajectories;
  const made = browser({
    label: "Trajectories", items: some.groups, empty: "No trajectory fits these filters.",
    filters: [choice("scenario", occurring(some.groups, (group) => group.scenario), (group) => group.scenario), choice("change", occurring(some.groups, kindOf), kindOf, (kind) => KINDS[kind]),
      search("search", (group) => `${group.question} ${JSON.stringify(group.episodes)}`)],
    entry: (group) => [h("span", { class: "small" }, words(group.scenario) || group.task.slice(0, 12), change(group)), h("span", { class: "asked" }, lastLine(group.question))],
    show: groupPage,
  });
  const about = `${some.shown} of ${many(some.of, "episode")} are here: ${some.chosen}.`;
  return section("trajectories", "Trajectories", null, h("p", { class: "about" }, about), made.node);
}

function change(group) {
  if (group.change === null) return null;
  const kind = kindOf(group);
  return h("span", { class: `change ${kind}` }, `${{ up: "▲", down: "▼", same: "=" }[kind]} ${signed(group.change, 2)}`);
}

function groupPage(group) {
  const golds = group.golds.map(([tool, value]) => h("li", {}, h("code", {}, tool), " ", h("strong", {}, value)));
  return [h("h3", {}, lastLine(group.question), change(group)),
    lastLine(group.question) !== group.question.trim() && folded("the whole message", h("p", { class: "question" }, group.question)),
    golds.length > 0 && [h("p", { class: "small" }, "Golds: what the calls must bring back"), h("ol", { class: "golds" }, golds)],
    group.known && isShown(group.task) && h("p", {}, h("button", { type: "button", class: "link", onclick: () => chooseTask(group.task) }, "Show the task, its documents and tools")),
    h("div", { class: group.episodes.length > 1 ? "pair" : "single" }, group.episodes.map(episode))];
}

const isShown = (id) => data.tasks && data.tasks.tasks.some((task) => task.id === id);
