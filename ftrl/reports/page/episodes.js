// One episode: its scores, and every turn with its calls and what each profile makes of them.
function episode(of) {
  return h("article", { class: "episode" }, h("h4", {}, of.label), h("p", { class: "small" }, `${of.policy} · ended as ${words(of.status)}`),
    scoresTable(of), of.note && h("p", { class: "note" }, of.note), h("ol", { class: "turns" }, of.turns.map(turn)));
}

function scoresTable(of) {
  if (!of.scores.length) return null;
  const names = Object.keys(of.scores[0].metrics);
  return table("Scores of the episode", [["profile", (score) => score.profile], ...names.map((name) => [name, (score) => score.metrics[name].toFixed(2), "number"])], of.scores);
}

function turn(of, at) {
  const rewards = of.rewards.map((reward) => h("li", {}, h("strong", {}, `${reward.profile} ${reward.value.toFixed(2)}`), ` ${reward.why}`));
  return h("li", { class: "turn" }, h("h5", {}, `Turn ${at + 1}`), of.heard && h("p", { class: "heard" }, h("strong", {}, "user "), of.heard), of.text && h("p", { class: "said" }, of.text),
    !of.text && !of.calls.length && h("p", { class: "missing" }, "Nothing was said."),
    of.calls.map(call), rewards.length > 0 && folded(`would earn in training: ${of.rewards.map((reward) => `${reward.profile} ${reward.value.toFixed(2)}`).join(", ")}`, h("ul", {}, rewards)));
}

function call(of) {
  const ticked = of.verdicts.some((verdict) => verdict.gold !== null);
  return h("div", { class: `call ${ticked ? "ticked" : "idle"}` },
    h("p", { class: "made" }, h("code", {}, h("b", {}, of.name), ` ${of.arguments}`)),
    h("p", { class: "back" }, h("span", { class: "small" }, ["ok", ""].includes(of.status) ? "came back " : `${words(of.status)} `)), h("pre", { class: "output" }, h("code", {}, of.output)),
    h("ul", { class: "verdicts" }, merged(of.verdicts).map(verdict)));
}

// Profiles that say the same share a line.
function merged(verdicts) {
  const lines = new Map();
  for (const one of verdicts) {
    const key = `${one.gold} ${one.why}`;
    if (lines.has(key)) lines.get(key).profiles.push(one.profile);
    else lines.set(key, { ...one, profiles: [one.profile] });
  }
  return [...lines.values()];
}

function verdict(of) {
  const yes = of.gold !== null;
  const who = of.profiles.length > 1 ? "both profiles" : of.profiles[0];
  return h("li", { class: yes ? "yes" : "no" }, h("span", { class: "sign", "aria-hidden": "true" }, yes ? "✓" : "–"), h("strong", {}, who), ` ${of.why}`);
}
