function surroundings() {
  if (data.missing.surroundings) return section("environment", "Environment and versions", data.missing.surroundings);
  const { versions, settings } = data.surroundings;
  const rows = (title, of) => table(title, [["name", ([name]) => name], ["value", ([, value]) => value]], of);
  return section("environment", "Environment and versions", null, versions.length > 0 && rows("Versions of the software that evaluated", versions),
    settings.map((of) => folded(of.title, rows(of.title, of.rows))));
}
