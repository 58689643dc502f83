// The dependency tree of a task: rounds from left to right, an arrow where an answer is needed.
function dependencyTree(task) {
  const steps = task.steps;
  if (!steps.length) return h("p", { class: "missing" }, "This task came without its sub-questions.");
  const list = h("ol", { class: "steps" }, steps.map((step) => h("li", {}, h("p", {}, h("strong", {}, step.id), " ", step.text,
    step.depends_on.length > 0 && h("span", { class: "needs" }, ` needs ${step.depends_on.join(", ")}`)),
    h("p", { class: "golden" }, h("code", {}, `${step.tool}(${step.arguments})`), " → ", h("code", {}, step.answer)))));
  if (steps.some((step) => step.wave === null)) return list;
  const waves = [];
  for (const step of steps) (waves[step.wave] ||= []).push(step);
  const [wide, high, across, down] = [160, 46, 56, 14];
  const tallest = Math.max(...waves.map((wave) => wave.length));
  const width = waves.length * wide + (waves.length - 1) * across;
  const height = tallest * high + (tallest - 1) * down;
  const place = new Map();
  waves.forEach((wave, column) => wave.forEach((step, row) => {
    const top = (height - (wave.length * high + (wave.length - 1) * down)) / 2;
    place.set(step.id, [column * (wide + across), top + row * (high + down)]);
  }));
  const cut = (text) => (text.length > 21 ? text.slice(0, 20) + "…" : text);
  const arrows = steps.flatMap((step) => step.depends_on.filter((of) => place.has(of)).map((of) => {
    const [[x1, y1], [x2, y2]] = [place.get(of), place.get(step.id)];
    const [from, to, middle] = [x1 + wide, x2 - 5, (x1 + wide + x2) / 2];
    return svg("path", { d: `M${from} ${y1 + high / 2}C${middle} ${y1 + high / 2} ${middle} ${y2 + high / 2} ${to} ${y2 + high / 2}m-5 -4l5 4l-5 4`, class: "arrow" });
  }));
  const nodes = steps.map((step) => {
    const [x, y] = place.get(step.id);
    return [svg("rect", { x: x + 0.5, y: y + 0.5, width: wide - 1, height: high - 1, rx: 6, class: "node" }),
      svg("text", { x: x + 10, y: y + 19, class: "node-id" }, cut(`${step.id} ${step.tool}`)), svg("text", { x: x + 10, y: y + 36, class: "node-answer" }, cut(step.answer))];
  });
  const label = `Dependencies: ${steps.map((step) => (step.depends_on.length ? `${step.id} after ${step.depends_on.join(" and ")}` : `${step.id} at once`)).join("; ")}`;
  return [scrolling("Dependency tree", svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "tree" }, arrows, nodes)), list];
}
