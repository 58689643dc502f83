// Header, contents, sections, footer.

function header() {
  const id = newId("colours");
  const select = h("select", { id, onchange: () => (document.documentElement.dataset.colours = select.value) },
    [["system", "as the system"], ["light", "light"], ["dark", "dark"]].map(([value, shown]) => h("option", { value }, shown)));
  const made = data.made ? `made ${data.made}` : "";
  return [h("div", { class: "named" }, h("p", { class: "small" }, "ftrl report"), h("h1", {}, data.overview.name), h("p", { class: "small" }, [data.overview.path, made].filter(Boolean).join(" · "))),
    h("p", { class: "filter" }, h("label", { for: id }, "colours"), select)];
}

document.getElementById("top").append(...header());
const sections = [overview(), evaluation(), trajectories(), training(), construction(), tasks(), changes(), surroundings()];
document.getElementById("content").replaceChildren(...sections);
document.getElementById("contents").append(h("ul", {}, sections.map((one) => h("li", {}, h("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)))));
document.getElementById("bottom").append(h("p", {}, `Made by ftrl ${data.ftrl}. Everything that is shown lies in this file; it asks nothing of any network.`));
