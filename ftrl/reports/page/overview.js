const STATES = { done: ["●", "done"], begun: ["◐", "begun"], absent: ["○", "not there"] };

function overview() {
  const of = data.overview;
  const facts = of.facts.map((fact) => h("div", { class: "fact" }, h("dt", {}, fact.label), h("dd", { class: "value" }, fact.value), fact.note && h("dd", { class: "note" }, fact.note)));
  const stages = of.stages.map((stage) => h("li", { class: stage.state }, h("span", { class: "sign", "aria-hidden": "true" }, STATES[stage.state][0]),
    h("strong", {}, stage.name), h("span", { class: "state" }, STATES[stage.state][1]), h("span", { class: "more" }, stage.detail)));
  return section("overview", "At a glance", null,
    h("p", { class: "headline" }, of.headline),
    facts.length > 0 && h("dl", { class: "facts" }, facts),
    h("h3", {}, "How far it is"), h("ol", { class: "stages" }, stages));
}
