// Charts as SVG, drawn anew whenever their box changes its width, so that text keeps its size.

const DASHES = ["", "6 3", "2 3", "8 3 2 3", "12 4"];
const MARKS = ["●", "■", "▲", "◆", "▼"];

function ticks(low, high, about = 4) {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((of) => of * power).find((of) => of >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(Math.abs(at) < step * 1e-6 ? 0 : at);
  return found;
}

const tick = (value) => (Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(0) : String(+value.toPrecision(4)));

function redrawn(box, draw) {
  const canvas = h("div", { class: "canvas" });
  box.append(canvas);
  let drawn = 0;
  const redraw = () => {
    const width = Math.floor(canvas.clientWidth);
    if (width && width !== drawn) {
      drawn = width;
      canvas.replaceChildren(draw(width));
    }
  };
  // In the next frame: what is drawn now would change sizes while they are being observed.
  new ResizeObserver(() => requestAnimationFrame(redraw)).observe(canvas);
}

function legend(names) {
  if (names.length < 2) return null;
  return h("ul", { class: "legend", "aria-hidden": "true" }, names.map((name, at) => h("li", {},
    svg("svg", { width: 26, height: 10 }, svg("line", { x1: 1, x2: 25, y1: 5, y2: 5, class: `line s${at}`, "stroke-dasharray": DASHES[at % 5] })), name)));
}

// Steps from which on a line is drawn thin, with its running mean over five steps on top: single steps are noisy.
const SMOOTHED = 20;

function running(values) {
  return values.map((value, index) => {
    const around = values.slice(Math.max(0, index - 2), index + 3).filter((one) => one !== null);
    return value === null ? null : around.reduce((sum, one) => sum + one, 0) / around.length;
  });
}

// Half of what "step 1000" takes.
const ROOM = 32;

// Lines over training steps. Arrow keys and the pointer read values off.
function lineChart(chart, steps) {
  const known = (series) => series.values.filter((value) => value !== null);
  const reading = h("p", { class: "reading", role: "status" });
  const ends = chart.series.map((of) => `${of.label} from ${number(known(of)[0])} to ${number(known(of).at(-1))}`).join("; ");
  const box = h("figure", { class: "chart" }, h("figcaption", {}, h("h4", {}, chart.title), h("p", {}, chart.about)), legend(chart.series.map((of) => of.label)));
  const smooth = steps.length >= SMOOTHED;
  let at = null;
  let move = () => {};
  const height = 190;
  redrawn(box, (width) => {
    const values = chart.series.flatMap(known);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (low > 0 && low < high * 0.5) low = 0;
    if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
    const steps_ = ticks(low, high);
    const step = steps_.length > 1 ? steps_[1] - steps_[0] : high - low;
    [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
    const left = 12 + 7 * Math.max(...ticks(low, high).map((of) => tick(of).length));
    const x = (index) => left + (steps.length > 1 ? (index / (steps.length - 1)) : 0.5) * (width - left - 10);
    const y = (value) => 8 + (1 - (value - low) / (high - low)) * (height - 34);
    const grid = ticks(low, high).map((of) => [
      svg("line", { x1: left, x2: width - 8, y1: y(of), y2: y(of), class: "grid" }),
      svg("text", { x: left - 6, y: y(of) + 4, "text-anchor": "end", class: "label" }, tick(of)),
    ]);
    const across = ticks(steps[0], steps.at(-1), Math.max(2, Math.floor(width / 90))).filter((of) => steps.includes(of));
    const below = across.map((of) => {
      const at = x(steps.indexOf(of));
      const last = of === across.at(-1);
      const edge = last && at > width - ROOM; // where it would stand out of the chart
      return svg("text", { x: edge ? width - 8 : at, y: height - 8, "text-anchor": edge ? "end" : "middle", class: "label" }, last ? `step ${of}` : of);
    });
    const drawn = (values, kind) => {
      let path = "";
      values.forEach((value, index) => {
        if (value !== null) path += `${path && values[index - 1] !== null ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      });
      return svg("path", { d: path, ...kind });
    };
    const lines = chart.series.map((of, which) => {
      const single = known(of).length === 1 && svg("circle", { cx: x(of.values.findIndex((value) => value !== null)), cy: y(known(of)[0]), r: 3, class: `dot s${which}` });
      const thick = { class: `line s${which}`, "stroke-dasharray": DASHES[which % 5] };
      if (!smooth) return [drawn(of.values, thick), single];
      return [drawn(of.values, { class: `line thin s${which}` }), drawn(running(of.values), thick)];
    });
    const ruler = svg("line", { y1: 6, y2: height - 24, class: "ruler", visibility: "hidden" });
    const dots = chart.series.map((of, which) => svg("circle", { r: 3.5, class: `dot s${which}`, visibility: "hidden" }));
    move = (index) => {
      at = index === null ? null : Math.max(0, Math.min(steps.length - 1, index));
      const seen = at === null ? "hidden" : "visible";
      ruler.setAttribute("visibility", seen);
      if (at !== null) for (const name of ["x1", "x2"]) ruler.setAttribute(name, x(at));
      chart.series.forEach((of, which) => {
        const value = at === null ? null : of.values[at];
        dots[which].setAttribute("visibility", value === null ? "hidden" : "visible");
        if (value !== null) {
          dots[which].setAttribute("cx", x(at));
          dots[which].setAttribute("cy", y(value));
        }
      });
      reading.textContent = at === null ? "" : `step ${steps[at]}: ` + chart.series.map((of) => `${of.label} ${number(of.values[at])}`).join(", ");
    };
    const nearest = (event) => {
      const inside = event.offsetX - left;
      return Math.round((inside / Math.max(1, width - left - 10)) * (steps.length - 1));
    };
    return svg("svg", { width, height, role: "img", tabindex: 0, "aria-label": `${chart.title} over ${many(steps.length, "step")}: ${ends}. Arrow keys read values.`,
      onpointermove: (event) => move(nearest(event)), onpointerleave: () => move(null), onblur: () => move(null),
      onkeydown: (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        move(Number.isFinite(by) ? (at === null ? (by > 0 ? 0 : steps.length - 1) : at + by) : by > 0 ? steps.length - 1 : 0);
      } }, grid, below, lines, ruler, dots);
  });
  const columns = [["step", (index) => steps[index], "number"], ...chart.series.map((of) => [of.label, (index) => number(of.values[index]), "number"])];
  box.append(reading, folded("as a table", table(chart.title, columns, steps.map((_, index) => index))));
  return box;
}

const NARROW = 480;

// Means with 95 % intervals, a line a part, a mark a run. rows: [{name, points: [{label, mean, low, high}]}].
function intervalChart({ title, about, rows, range, format = (value) => number(value, 2), heading = "h4" }) {
  const labels = [...new Set(rows.flatMap((row) => row.points.map((point) => point.label)))];
  const keys = labels.length > 1 && h("ul", { class: "legend" }, labels.map((label, at) => h("li", {}, h("span", { class: `mark s${at}`, "aria-hidden": "true" }, MARKS[at % 5]), label)));
  const box = h("figure", { class: "chart wide" }, h("figcaption", {}, h(heading, {}, title), h("p", {}, about)), keys);
  const told = rows.map((row) => `${words(row.name)}: ` + row.points.map((point) => `${point.label} ${format(point.mean)}`).join(", ")).join("; ");
  redrawn(box, (width) => {
    const each = 18;
    const narrow = width < NARROW;
    const left = narrow ? 6 : 190;
    const x = (value) => left + ((value - range[0]) / (range[1] - range[0])) * (width - left - 60);
    let at = 10;
    const parts = rows.map((row) => {
      const top = narrow ? at + each : at;
      at = top + each * Math.max(1, row.points.length) + 12;
      const beside = { x: left - 10, y: top + (each * row.points.length) / 2 + 4, "text-anchor": "end" };
      const name = svg("text", { ...(narrow ? { x: 0, y: top - 3 } : beside), class: "name" }, words(row.name));
      const points = row.points.map((point, index) => {
        const y = top + each * (index + 0.5);
        const which = labels.indexOf(point.label);
        const whisker = point.low !== null && svg("path", { d: `M${x(point.low)} ${y - 4}V${y + 4}M${x(point.low)} ${y}H${x(point.high)}M${x(point.high)} ${y - 4}V${y + 4}`, class: `whisker s${which}` });
        const mark = svg("text", { x: x(point.mean), y: y + 5, "text-anchor": "middle", class: `mark s${which}` }, MARKS[which % 5]);
        const value = svg("text", { x: x(Math.max(point.mean, point.high ?? point.mean)) + 9, y: y + 4, class: "label" }, format(point.mean));
        return [whisker, mark, value];
      });
      return [name, points];
    });
    const marks = ticks(range[0], range[1], Math.max(2, Math.floor((width - left) / 90)));
    const grid = marks.map((of) => [
      svg("line", { x1: x(of), x2: x(of), y1: 4, y2: at, class: of === 0 && range[0] < 0 ? "zero" : "grid" }),
      svg("text", { x: x(of), y: at + 15, "text-anchor": "middle", class: "label" }, tick(of)),
    ]);
    return svg("svg", { width, height: at + 22, role: "img", "aria-label": `${title}. ${told}` }, grid, parts);
  });
  return box;
}

// Shares of a whole, a bar a row; the counts stand beside it. parts: [[name, kind]]; rows: [[label, counts]].
function stackedBars(parts, rows) {
  const key = parts.map(([name, kind]) => h("li", {}, h("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), name));
  const bars = rows.map(([label, numbers]) => {
    const bar = h("span", { class: "stack", "aria-hidden": "true" });
    numbers.forEach((count, at) => {
      const piece = h("span", { class: `piece ${parts[at][1]}` });
      piece.style.setProperty("flex-grow", count);
      if (count) bar.append(piece);
    });
    return h("li", {}, h("span", { class: "name" }, label), bar, h("span", { class: "counts" }, numbers.map((count, at) => `${parts[at][0]} ${count.toLocaleString("en")}`).join(", ")));
  });
  return [h("ul", { class: "legend", "aria-hidden": "true" }, key), h("ul", { class: "stacked" }, bars)];
}
