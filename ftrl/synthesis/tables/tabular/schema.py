"""What the user declares about the tables, in a small YAML file; whatever is left out is found."""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ftrl.settings_files import Layers, read_layers
from ftrl.synthesis.tables.tabular.load import LoadedTable
from ftrl.synthesis.tables.tabular.naming import words_of


class DeclaredTable(BaseModel):
    """One table: ``noun``, ``key``, ``label``, ``references``, ``nouns`` and ``ignore``, none of them required."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    noun: str | None = Field(default=None, description="What a row is called, in the singular.")
    key: tuple[str, ...] = Field(
        default=(), description="The column that other tables refer to, or several that tell a row together."
    )
    label: tuple[str, ...] = Field(default=(), description="The columns that name a row to a person.")
    references: dict[str, str] = Field(default_factory=dict, description="Column: TABLE or TABLE.COLUMN.")
    nouns: dict[str, str] = Field(default_factory=dict, description="Column: what it is called in a question.")
    ignore: tuple[str, ...] = Field(default=(), description="Columns that nothing is asked about.")

    @field_validator("key", "label", mode="before")
    @classmethod
    def _may_be_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("noun")
    @classmethod
    def _is_words(cls, value: str | None) -> str | None:
        return None if value is None else plain_words(value)

    @field_validator("nouns")
    @classmethod
    def _are_words(cls, value: dict[str, str]) -> dict[str, str]:
        return {column: plain_words(noun) for column, noun in value.items()}


class DeclaredSchema(BaseModel):
    """The whole file: ``tables``, by name; and ``skip``, tables that are not looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: dict[str, DeclaredTable] = Field(default_factory=dict)
    skip: tuple[str, ...] = ()

    def as_yaml(self) -> str:
        """The file that says just this."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        for table in said.get("tables", {}).values():
            for name in ("key", "label"):
                if len(table.get(name, ())) == 1:
                    (table[name],) = table[name]
        return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)

    def of(self, table: LoadedTable) -> DeclaredTable:
        """What is declared of a table; nothing, where nothing is."""
        return self.tables.get(table.name, DeclaredTable())


def plain_words(text: str) -> str:
    """The words in lower case, so that they can stand in a sentence and in a tool's name alike."""
    words = words_of(text)
    if not words or not words[0].isalpha() or len(" ".join(words)) > 26:
        raise ValueError(f"'{text}' must be one to four plain words of at most 26 letters together")
    return " ".join(words)


def declared(path: str | None, tables: Sequence[LoadedTable]) -> DeclaredSchema:
    """Read a declaration, if there is one, and hold it against the tables.

    Raises:
        InputError: it is no YAML, does not fit the form, or names a table or column that does not exist.
    """
    if path is None:
        return DeclaredSchema()
    layers = read_layers(path)
    schema = layers.into(DeclaredSchema)
    by_name = {table.name: table for table in tables}
    for where in (*(("tables", name) for name in schema.tables), *(("skip", name) for name in schema.skip)):
        if where[-1] not in by_name:
            raise layers.error(f"there is no such table; there are {', '.join(by_name)}", *where)
    for name, one in schema.tables.items():
        _check(layers, name, by_name, one)
    return schema


def _check(layers: Layers, name: str, tables: dict[str, LoadedTable], one: DeclaredTable) -> None:
    columns = tables[name].columns
    named = {"key": one.key, "label": one.label, "references": one.references, "nouns": one.nouns}
    for field, mentioned in {**named, "ignore": one.ignore}.items():
        for column in mentioned:
            if column not in columns:
                message = f"there is no column '{column}'; there are {', '.join(columns)}"
                raise layers.error(message, "tables", name, field)
    for column, target in one.references.items():
        other, _, key = target.partition(".")
        where = ("tables", name, "references", column)
        if other not in tables:
            raise layers.error(f"there is no table '{other}'; there are {', '.join(tables)}", *where)
        if key and key not in tables[other].columns:
            raise layers.error(f"'{other}' has no column '{key}'", *where)
