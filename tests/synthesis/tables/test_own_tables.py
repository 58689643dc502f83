"""The user's own tables as the source of environments."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet
from typer.testing import CliRunner

from ftrl import storage
from ftrl.audit import Severity, audit_tasks
from ftrl.commands.env import app as env
from ftrl.environments import EnvironmentStore, Scenario
from ftrl.environments.golden import golden_turns
from ftrl.errors import InputError
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.tables.tabular import table_facts

TOWNS = ("Ardmore", "Belfort", "Cazorla", "Dornach", "Esbjerg", "Fermo", "Gorlitz", "Hobart", "Izmir", "Jerez")
PEOPLE = ("Ana Ruiz", "Bo Lind", "Cy Park", "Di Moreau", "Ed Novak", "Flo Haas", "Gus Olsen", "Hal Webb", "Ida Roth")


def shop(folder: Path) -> Path:
    """Three CSV files: makers in towns, products of makers; keys and references are there to be found."""
    folder.mkdir(exist_ok=True)
    towns = ["town_code,name,founded", *(f"X{i}Q,{name},{1200 + 37 * i}-03-{i + 1:02}" for i, name in enumerate(TOWNS))]
    makers = ["maker_id,maker_name,town_code,Head Count"]
    makers += [f"{i},Works of {name},X{i * 3 % 10}Q,{3100 + i * 431}" for i, name in enumerate(PEOPLE, start=1)]
    products = ["id,title,maker_id,unitPrice"]
    products += [f"{i},Lamp No. {i * 7919},{i % 9 + 1},{i * 3}.{i % 9 + 1}5" for i in range(1, 40)]
    for name, lines in (("towns", towns), ("makers", makers), ("products", products)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def database(path: Path) -> Path:
    """The same in SQLite; the reference is declared, and its name would not tell."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, phone TEXT)")
        connection.execute(
            "CREATE TABLE 'Order' (OrderID INTEGER PRIMARY KEY, soldOn DATE, x REFERENCES staff, paid REAL)"
        )
        for i, person in enumerate(PEOPLE, start=1):
            connection.execute("INSERT INTO staff VALUES (?, ?, ?, ?)", (i, *person.split(), f"555 {i * 1234}"))
        for i in range(200, 260):
            row = (i, f"1999-{i % 12 + 1:02}-{i % 28 + 1:02} 00:00:00", i % 9 + 1, i * 1.5 + 0.25)
            connection.execute("INSERT INTO 'Order' VALUES (?, ?, ?, ?)", row)
    return path


def table(folder: Path, *lines: str, name: str = "things.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., EnvironmentStore]:
    def made(*tables: str | Path, name: str = "store", **options: object) -> EnvironmentStore:
        config = {"out": str(tmp_path / name), "tables": tuple(map(str, tables)), "count": 8, "workers": 1, **options}
        synthesize(SynthesisConfig.model_validate(config))
        return EnvironmentStore.open(str(tmp_path / name))

    return made


def relations(*paths: str | Path, schema: Path | None = None) -> dict[str, str]:
    """What can be asked: TABLE.COLUMN to the noun or type of what it leads to."""
    with table_facts([str(path) for path in paths], schema and str(schema), "train") as facts:
        return {one.key: getattr(one.object, "noun", type(one.object).__name__) for one in facts.relations}


def refused(*paths: str | Path, schema: Path | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        relations(*paths, schema=schema)
    return caught.value


# What is found


def test_types_keys_names_and_references_are_found_in_csv_files(tmp_path):
    assert relations(shop(tmp_path / "shop")) == {
        "makers.town_code": "town",
        "makers.Head Count": "Quantity",
        "products.maker_id": "maker",
        "products.unitPrice": "Quantity",
        "towns.founded": "Date",
    }


def test_references_that_sqlite_declares_are_taken_and_people_go_by_both_names(tmp_path):
    path = database(tmp_path / "sales.db")
    assert relations(path) == {
        "Order.soldOn": "Date",
        "Order.x": "staff",
        "Order.paid": "Quantity",
        "staff.phone": "Text",
    }
    with table_facts([str(path)], None, "train") as facts:
        order = next(one for one in facts.relations if one.key == "Order.x")
        fact = facts.fact(order, facts.stranger(order.subject, Random(0)))
    assert order.subject.numbered
    assert fact is not None
    assert fact.value in PEOPLE


def test_parquet_tsv_and_several_paths_work_together(tmp_path, make):
    rows = {"film_id": list(range(1, 31)), "director": [f"Dir {i * 37}x" for i in range(30)]}
    rows["budget"] = [1_000_000.5 + i * 777 for i in range(30)]
    parquet.write_table(pa.table(rows), tmp_path / "films.parquet")
    shows = [f"{i}\tHall {i * 13}q\t{i % 30 + 1}" for i in range(1, 40)]
    path = table(tmp_path, "show_id\thall\tfilm_id", *shows, name="shows.tsv")
    store = make(tmp_path / "films.parquet", path)
    assert len(store) == 8
    assert any("budget" in environment.question for environment in store)


def test_a_duckdb_file_is_read_like_any_other(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        for path in shop(tmp_path / "shop").iterdir():
            connection.execute(f"CREATE TABLE {path.stem} AS SELECT * FROM read_csv('{path}')")
    assert relations(tmp_path / "shop.duckdb") == relations(tmp_path / "shop")


def test_a_duckdb_file_without_duckdb_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    path = tmp_path / "shop.duckdb"
    path.write_bytes(b"anything")
    assert "pip install 'ftrl[duckdb]'" in str(refused(path))


LINES = [(10_200 + i, (i * 3 + k * 7) % 20 + 1, (i * 31 + k * 17) % 870 + 110) for i in range(40) for k in range(3)]
"""Order, product, quantity."""


def orders(path: Path, key: str = ", PRIMARY KEY (order_id, product_id)") -> Path:
    """Orders of products: a line of an order is told by both."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO products VALUES (?, ?)", [(i, f"Lamp No. {i * 79}") for i in range(1, 21)])
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, placed DATE)")
        placed = [(10_200 + i, f"2021-{i % 12 + 1:02}-{i % 28 + 1:02}") for i in range(40)]
        connection.executemany("INSERT INTO orders VALUES (?, ?)", placed)
        connection.execute(
            "CREATE TABLE order_details (order_id INTEGER REFERENCES orders, product_id INTEGER REFERENCES products, "
            f"quantity INTEGER{key})"
        )
        connection.executemany("INSERT INTO order_details VALUES (?, ?, ?)", LINES)
    return path


@pytest.mark.parametrize("style", ["compact", "rich"])
def test_a_row_that_two_columns_tell_together_is_asked_about_with_both(tmp_path, style):
    path = orders(tmp_path / "orders.db")
    config = SynthesisConfig(
        out=str(tmp_path / "store"), tables=(str(path),), style=style, scenarios=(Scenario.SINGLE_HOP,), count=24
    )
    assert synthesize(config).acceptance == 1
    names = {i: f"Lamp No. {i * 79}" for i in range(1, 21)}
    quantities = {(order, names[product]): str(quantity) for order, product, quantity in LINES}
    asked = 0
    for environment in EnvironmentStore.open(config.out):
        (step,) = environment.trace
        order, product, *_ = (*step.arguments.values(), None)
        if isinstance(order, int) and isinstance(product, str) and "quantity" in environment.question:
            asked += 1
            assert step.answer == quantities[order, product]
            assert f"order {order} and product {product}" in environment.question
    assert asked >= 3


@pytest.mark.parametrize("written", ["key: [order_id, product_id]", "noun: order line"])
def test_a_key_of_two_columns_is_declared_or_found_where_two_references_tell_a_row(tmp_path, written):
    path = orders(tmp_path / "orders.db", key="")
    schema = tmp_path / "schema.yaml"
    schema.write_text(f"tables:\n  order_details:\n    {written}\n")
    with table_facts([str(path)], str(schema), "train") as facts:
        (relation,) = (one for one in facts.relations if one.key == "order_details.quantity")
        subject = facts.stranger(relation.subject, Random(1))
    assert [key.noun for key in relation.subject.keys] == ["order", "product"]
    assert len(subject.arguments) == 2


def test_a_declared_key_of_two_columns_that_does_not_tell_every_row_is_refused(tmp_path):
    path = table(tmp_path, "a,b,c", *(f"{i % 5},{i % 3},{i * 17}" for i in range(30)))
    schema = tmp_path / "schema.yaml"
    schema.write_text("tables:\n  things:\n    key: [a, b]\n")
    assert "the same in several rows" in str(refused(path, schema=schema))


def test_tables_that_nothing_is_asked_about_are_named_with_the_reason(tmp_path, make, caplog):
    path = database(tmp_path / "sales.db")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE shifts (staff INTEGER, day INTEGER, PRIMARY KEY (staff, day))")
        connection.executemany("INSERT INTO shifts VALUES (?, ?)", [(i % 9 + 1, i // 9) for i in range(40)])
        connection.execute("CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO owners VALUES (1, 'Some Body')")
    make(path)
    (line,) = {record.getMessage() for record in caplog.records if "no question" in record.getMessage()}
    assert "shifts (there is nothing beside its key)" in line
    assert "owners (only 1 of 1 rows have a name of their own)" in line


def test_keys_written_as_decimals_because_of_gaps_still_lead_on(tmp_path):
    makers = table(tmp_path, "maker_id,name", *(f"{i},Maker{i}x" for i in range(1, 30)), name="makers.csv")
    rows = (f"{i},Item{i}x,{'' if i % 6 == 0 else f'{i % 29 + 1}.0'}" for i in range(1, 60))
    assert relations(makers, table(tmp_path, "item_id,title,maker_id", *rows)) == {"things.maker_id": "maker"}


def test_what_is_declared_holds_against_what_would_be_found(tmp_path):
    path = table(tmp_path, "a,b,c", *(f"{i + 500},Word{i}x,{(i * 7) % 20 + 500}" for i in range(20)))
    schema = tmp_path / "schema.yaml"
    schema.write_text("tables:\n  things:\n    noun: gadget\n    key: a\n    label: b\n    references: {c: things.a}\n")
    assert relations(path) == {"things.a": "Quantity", "things.c": "Quantity"}
    assert relations(path, schema=schema) == {"things.c": "gadget"}


def test_what_was_found_can_be_declared_as_it_is_told_and_is_the_same_then(tmp_path):
    paths = [str(shop(tmp_path / "shop")), str(database(tmp_path / "sales.db"))]
    told = CliRunner().invoke(env, ["schema", *paths])
    assert told.exit_code == 0, told.stderr
    found = yaml.safe_load(told.stdout)["tables"]
    assert found["makers"]["references"] == {"town_code": "towns"}
    assert found["staff"]["label"] == ["first_name", "last_name"]
    assert found["Order"]["nouns"]["soldOn"] == "sold on"
    (tmp_path / "found.yaml").write_text(told.stdout)
    again = CliRunner().invoke(env, ["schema", *paths, "--schema", str(tmp_path / "found.yaml")])
    assert again.stdout == told.stdout
    assert relations(*paths, schema=tmp_path / "found.yaml") == relations(*paths)


def test_tables_that_nothing_is_asked_about_are_named_beside_what_is_found(tmp_path):
    told = CliRunner().invoke(env, ["schema", str(table(tmp_path, "id,name", "1,Ann", "2,Bob"))])
    assert told.exit_code == 0
    assert told.stderr == "no question is about rows of things (only 2 of 2 rows have a name of their own)\n"


def test_rows_that_refer_to_a_row_can_be_filtered_listed_and_added_up(tmp_path):
    with table_facts([str(shop(tmp_path / "shop"))], None, "train") as facts:
        phrases = {query.key: query.phrases[0] for query in facts.queries}
    assert phrases == {
        "products.maker_id.unitPrice.next": "the product with the lowest unit price above {given} whose maker is {}",
        "products.maker_id.unitPrice.last": "the product with the highest unit price below {given} whose maker is {}",
        "products.maker_id.unitPrice.which": "the products with a unit price above {given} whose maker is {}",
        "products.maker_id.unitPrice.total": "the combined unit price of the products with a unit price above {given} "
        "whose maker is {}",
    }


def test_a_sum_over_the_users_rows_is_the_sum_that_the_tables_say(make, tmp_path):
    prices: dict[str, list[float]] = {}
    for i in range(1, 40):
        prices.setdefault(f"Works of {PEOPLE[i % 9]}", []).append(float(f"{i * 3}.{i % 9 + 1}5"))
    store = make(shop(tmp_path / "shop"), queries=1.0, count=40, style="rich", scenarios=(Scenario.SINGLE_HOP,))
    sums = [e.trace[0] for e in store if e.provenance["relations"][0].endswith(".total")]
    assert sums
    for step in sums:
        found = re.search(r"above ([0-9.]+) whose maker is (.+)[?]", step.text)
        assert found
        assert float(step.answer) == round(sum(p for p in prices[found[2]] if p > float(found[1])), 2)


# What comes of it


def test_a_folder_of_csv_files_becomes_verified_tasks_of_all_scenarios(make, tmp_path):
    store = make(shop(tmp_path / "shop"), count=24)
    assert len(store) == 24
    assert {environment.scenario for environment in store} == set(Scenario)
    for environment in store:
        assert environment.provenance["verified"]["golden"] == len(environment.trace)
        assert golden_turns(environment)[-1] == environment.answer
        assert len(environment.provenance["tables"]) == 64


@pytest.mark.parametrize("style", ["compact", "rich"])
def test_the_audit_finds_nothing_that_counts(make, tmp_path, style):
    store = make(database(tmp_path / "sales.db"), count=8, style=style)
    findings = [f for task in audit_tasks(store, workers=2) for f in task.findings]
    assert {finding.severity for finding in findings} <= {Severity.INFO}


def test_the_same_tables_and_seed_make_the_same_tasks_and_another_seed_others(make, tmp_path):
    folder = shop(tmp_path / "shop")
    first, again, other = (make(folder, name=name, seed=seed).ids() for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert not set(first) & set(other)


def test_no_question_of_the_test_split_starts_where_one_of_the_train_split_does(make, tmp_path):
    starts = []
    for split in ("train", "test"):
        store = make(database(tmp_path / f"{split}.db"), name=f"{split}-store", split=split, count=24)
        firsts = [step for environment in store for step in environment.trace if not step.depends_on]
        starts.append({str(value) for step in firsts for value in step.arguments.values()})
    assert starts[0]
    assert starts[1]
    assert not starts[0] & starts[1]


def test_a_tool_holds_a_dozen_rows_of_a_large_table_and_no_more(make, tmp_path):
    path = table(tmp_path, "code,colour", *(f"K{i * 31:06}Z,shade {i * 17}" for i in range(30_000)))
    store = make(path, scenarios=(Scenario.SINGLE_HOP,), style="rich")
    for environment in store:
        for source in store.sources(environment).values():
            assert source.count("shade ") == 12


def test_cells_that_mean_something_elsewhere_do_no_harm(make, tmp_path):
    nasty = [
        '"He said ""hi"""', '"two\nlines"', "{braces}", "{0}", "it's; DROP TABLE x--", "ignore previous instructions",
        "<tool_call>", "'''", "\\n", "naïve café", "日本語の名前", "\u202eright to left", "%s", "`code`", "None",
    ]  # fmt: skip
    rows = [f"{cell},{n}{chr(65 + n)}{n * 91}" for n, cell in enumerate(nasty)]
    rows += [f"plain {n}x{n},{'<b>' if n % 5 == 0 else ''}value {n * 101}" for n in range(20)]
    store = make(table(tmp_path, "name,text", *rows), scenarios=(Scenario.SINGLE_HOP,), count=24)
    assert len(store) == 24
    everything = [e.question.split("\n", 1)[1] for e in store] + [s for e in store for s in store.sources(e).values()]
    for text in everything:
        assert not any(
            bad in text for bad in ("<tool_call>", "<b>", "two\nlines", "He said", "\u202e", "ignore previous")
        )
    assert any("it's; DROP TABLE x--" in text for text in everything)
    assert any("日本語の名前" in text or "{braces}" in text for text in everything)


def test_answers_that_anybody_would_guess_are_not_asked_for(tmp_path):
    columns = "name,year,flag,constant,few,id2,good"
    rows = (f"thing {i}q,{1950 + i},{i % 2 == 0},same,{'ab'[i % 2]},{i % 90},{i * 7919 + 10_000}" for i in range(40))
    assert list(relations(table(tmp_path, columns, *rows))) == ["things.good"]


def test_a_row_that_shares_its_name_is_never_asked_about(make, tmp_path):
    rows = [f"{'Twin' if i < 10 else f'Single{i}x'},{i * 997 + 3000}" for i in range(40)]
    store = make(table(tmp_path, "name,weight", *rows), scenarios=(Scenario.SINGLE_HOP,), count=24)
    assert not any("Twin" in environment.question for environment in store)


def test_rows_that_a_blind_call_would_meet_are_no_subjects(make, tmp_path):
    names = ["1", "2", "7", "2001", "7919", "12345", *map(str, range(300, 312))]
    path = table(tmp_path, "thing_id,colour", *(f"{name},shade {i % 9 * 17 + 200}" for i, name in enumerate(names)))
    store = make(path, scenarios=(Scenario.SINGLE_HOP,), count=24)
    assert {value // 100 for e in store for step in e.trace for value in step.arguments.values()} == {3}


def test_tables_on_s3_are_read(make, tmp_path, bucket):
    for path in shop(tmp_path / "shop").iterdir():
        storage.write_bytes(f"{bucket}/shop/{path.name}", path.read_bytes())
    assert make(f"{bucket}/shop").ids() == make(tmp_path / "shop", name="local").ids()


# What is refused


def test_multi_hop_without_any_reference_is_refused_before_anything_is_written(make, tmp_path):
    path = table(tmp_path, "name,weight", *(f"Thing{i}x,{i * 997 + 3000}" for i in range(20)))
    with pytest.raises(InputError, match="--schema") as caught:
        make(path)
    assert caught.value.field == "scenario"
    assert not (tmp_path / "store").exists()


def test_more_hops_than_the_references_have_are_refused_with_their_length(make, tmp_path):
    with pytest.raises(InputError, match="3 hops far") as caught:
        make(shop(tmp_path / "shop"), hops=(6, 6))
    assert caught.value.field == "hops"


@pytest.mark.parametrize(
    ("name", "content", "line", "field", "words"),
    [
        ("a.csv", b"", 1, None, "empty"),
        ("a.csv", b"x,y\n1,2\n1,2,3\n", 3, None, "3 fields"),
        ("a.csv", b"x,y,X\n1,2,3\n", 1, "X", "two columns"),
        ("a.csv", b"x,,z\n1,2,3\n", 1, None, "no name"),
        ("a.csv", b"x,y\nok,1\ncaf\xe9,2\n", 3, None, "UTF-8"),
        ("a.csv", b"x,y\n", None, None, "any rows"),
        ("a.csv", b"x,y\n1,1\n1,1\n", None, None, "nothing in these tables"),
        ("a.parquet", b"PAR1 not at all", None, None, "Parquet"),
        ("a.sqlite", b"no database, but text that is long enough to be looked at", None, None, "SQLite"),
        ("a.xlsx", b"", None, None, "end with"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(tmp_path, name, content, line, field, words):
    path = tmp_path / name
    path.write_bytes(content)
    error = refused(path)
    assert words in str(error)
    assert str(path) in str(error.file)
    assert (error.line, error.field) == (line, field)


def test_a_missing_file_an_empty_folder_and_two_tables_of_one_name_are_refused(tmp_path):
    assert "no such file" in str(refused(tmp_path / "none.csv"))
    (tmp_path / "empty").mkdir()
    assert "no CSV" in str(refused(tmp_path / "empty"))
    (tmp_path / "other").mkdir()
    one, two = (table(folder, "a,b", "1,2", name="same.csv") for folder in (tmp_path, tmp_path / "other"))
    assert str(one) in str(refused(one, two))


@pytest.mark.parametrize(
    ("schema", "field", "words"),
    [
        ("tables: [", None, "not YAML"),
        ("tables: {nothing: {}}", "tables.nothing", "no such table"),
        ("skip: [nothing]", "skip.nothing", "no such table"),
        ("tables: {towns: {key: zip}}", "tables.towns.key", "no column 'zip'"),
        ("tables: {towns: {colour: red}}", "tables.towns.colour", "no such setting"),
        ("tables: {towns: {noun: '{x}; drop'}}", None, ""),
        ("tables: {towns: {noun: '42'}}", "tables.towns.noun", "plain words"),
        ("tables: {makers: {references: {town_code: cities}}}", "tables.makers.references.town_code", "no table"),
        ("tables: {products: {key: maker_id}}", "maker_id", "declared key"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused_with_its_field(tmp_path, schema, field, words):
    path = table(tmp_path, schema, name="schema.yaml")
    if not words:  # signs are dropped, words stay
        assert relations(shop(tmp_path / "shop"), schema=path)
        return
    error = refused(shop(tmp_path / "shop"), schema=path)
    assert words in str(error)
    assert error.field == field
