"""What the user declares about the tables, in a small YAML file; whatever is left out is found."""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ftrl import storage
from ftrl.errors import InputError
from ftrl.synthesis.tables.tabular.load import LoadedTable
from ftrl.synthesis.tables.tabular.naming import words_of


class DeclaredTable(BaseModel):
    """One table: ``noun``, ``key``, ``label``, ``references``, ``nouns`` and ``ignore``, none of them required."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    noun: str | None = Field(default=None, description="What a row is called, in the singular.")
    key: str | None = Field(default=None, description="The column that other tables refer to.")
    label: tuple[str, ...] = Field(default=(), description="The columns that name a row to a person.")
    references: dict[str, str] = Field(default_factory=dict, description="Column: TABLE or TABLE.COLUMN.")
    nouns: dict[str, str] = Field(default_factory=dict, description="Column: what it is called in a question.")
    ignore: tuple[str, ...] = Field(default=(), description="Columns that nothing is asked about.")

    @field_validator("label", mode="before")
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

    def of(self, table: LoadedTable) -> DeclaredTable:
        """What is declared of a table; nothing, where nothing is."""
        return self.tables.get(table.name, DeclaredTable())


def plain_words(text: str) -> str:
    """The words in lower case, so that they can stand in a sentence and in a tool's name alike."""
    words = words_of(text)
    if not words or not words[0].isalpha() or len(" ".join(words)) > 26:
        raise ValueError(f"'{text}' must be one to four plain words of at most 26 letters together")
    return " ".join(words)


def declared(path: str, tables: Sequence[LoadedTable]) -> DeclaredSchema:
    """Read a declaration and hold it against the tables.

    Raises:
        InputError: it is no YAML, does not fit the form, or names a table or column that does not exist.
    """
    try:
        content = yaml.safe_load(storage.read_bytes(path).decode())
        schema = DeclaredSchema.model_validate(content or {})
    except UnicodeDecodeError as error:
        raise InputError("this file is not UTF-8", file=path) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it does not parse"
        raise InputError(f"this is not YAML: {reason}", file=path, line=mark.line + 1 if mark else None) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise InputError(str(first["msg"]).removeprefix("Value error, "), file=path, field=field) from error
    by_name = {table.name: table for table in tables}
    for name in (*schema.tables, *schema.skip):
        if name not in by_name:
            raise InputError(f"there is no such table; there are {', '.join(by_name)}", file=path, field=name)
    for name, one in schema.tables.items():
        _check(path, f"tables.{name}", by_name, by_name[name], one)
    return schema


def _check(path: str, where: str, tables: dict[str, LoadedTable], table: LoadedTable, one: DeclaredTable) -> None:
    named = {"label": one.label, "references": one.references, "nouns": one.nouns, "ignore": one.ignore}
    for field, columns in {"key": [one.key] if one.key else [], **named}.items():
        for column in columns:
            if column not in table.columns:
                known = ", ".join(table.columns)
                raise InputError(
                    f"there is no column '{column}'; there are {known}", file=path, field=f"{where}.{field}"
                )
    for column, target in one.references.items():
        other, _, key = target.partition(".")
        field = f"{where}.references.{column}"
        if other not in tables:
            raise InputError(f"there is no table '{other}'; there are {', '.join(tables)}", file=path, field=field)
        if key and key not in tables[other].columns:
            raise InputError(f"'{other}' has no column '{key}'", file=path, field=field)
