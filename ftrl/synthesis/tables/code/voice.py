"""How one author writes code: the words of errors, where checks stand, what variables are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from ftrl.synthesis.tables.facts import Entity, Kind
from ftrl.synthesis.tables.tool import MOST_AT_ONCE, Form, Parameter, Role, ToolDocument
from ftrl.synthesis.tables.wording import a

Lines = list[str]
"""Code, a line each, without the indentation of the function's body."""


def literal(value: str | int | float | bool) -> str:
    """A value as Python writes it."""
    # JSON writes texts as Python does, but for what no record holds: lone surrogates.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def key_of(entity: Entity) -> str:
    """What an entity's record is found by: its name or number, or several of them together."""
    values = [literal(value) for value in entity.arguments]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"


def indented(lines: Lines) -> Lines:
    """The lines a level further in."""
    return [f"    {line}" if line else line for line in lines]


def free_name(tool: ToolDocument, names: Sequence[str], rng: Random) -> str:
    """One of these names that no parameter of the tool has."""
    taken = {parameter.name for parameter in tool.parameters}
    return rng.choice([name for name in names if name not in taken])


def function(tool: ToolDocument, lines: Lines) -> str:
    """The whole source: signature, docstring, body."""
    signature = ", ".join(
        parameter.name if parameter.required else f"{parameter.name}={literal(parameter.default)}"  # type: ignore[arg-type]
        for parameter in tool.parameters
    )
    body = "\n".join(line.rstrip() for line in indented(lines))
    return f'def {tool.name}({signature}):\n    """{tool.description}"""\n{body}\n'


def _is_one(condition: str) -> bool:
    """Whether ``not`` can stand before the condition without parentheses."""
    return not any(f" {word} " in condition for word in ("and", "or"))


class Voice:
    """One author.

    Args:
        rng: decides who.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._helper = rng.random() < 0.3
        self._require = rng.choice(("require", "check", "ensure"))
        self._comments = rng.random() < 0.4
        self._must_be = rng.choice(("{name} must be {thing}", "expected {name} to be {thing}", "{name} is not {thing}"))

    def opening(self) -> Lines:
        """What stands at the top of the body: the helper that checks, if this author has one."""
        if not self._helper:
            return []
        return [
            f"def {self._require}(condition, message):",
            "    if not condition:",
            "        raise ValueError(message)",
            "",
        ]

    def refuse(self, unless: str, message: str, error: str = "ValueError", wrong: str = "") -> Lines:
        """Raise an error unless a condition holds.

        Args:
            unless: the condition, as an expression.
            message: what the error says.
            error: the error's type, where no helper raises it.
            wrong: the opposite of the condition, where it reads better than ``not (...)``.
        """
        if self._helper:
            return [f"{self._require}({unless}, {literal(message)})"]
        wrong = wrong or (f"not {unless}" if _is_one(unless) else f"not ({unless})")
        return [f"if {wrong}:", f"    raise {error}({literal(message)})"]

    def comment(self, text: str) -> Lines:
        """A comment, from those who write any."""
        return [f"# {text}"] if self._comments else []

    def type_message(self, name: str, thing: str) -> str:
        """The message for an argument of a wrong type."""
        return self._must_be.format(name=name, thing=thing)

    def unknown(self, kind: Kind) -> str:
        """The message for a name that the tool does not know."""
        words = (
            f"no record of {a(kind.noun)} by that {kind.called}",
            f"there is no such {kind.noun}",
            f"unknown {kind.noun}",
            f"this register has no {kind.noun} of that {kind.called}",
        )
        return self._rng.choice(words)

    def subject(self, tool: ToolDocument) -> tuple[Lines, Lines]:
        """Checks of the subject, and what makes ``key`` of it; a list of subjects becomes a loop over ``item``."""
        parameter = tool.parameter(Role.SUBJECT)
        assert parameter is not None
        name, kind = parameter.name, tool.relation.subject
        if parameter.form is Form.LIST:
            checks = self.refuse(
                f"isinstance({name}, list) and {name}", self.type_message(name, "a list of names"), "TypeError"
            )
            checks += self.refuse(
                f"len({name}) <= {MOST_AT_ONCE}",
                f"at most {MOST_AT_ONCE} at a time",
                wrong=f"len({name}) > {MOST_AT_ONCE}",
            )
            inside = self.refuse(
                "isinstance(item, str)",
                f"every entry of {name} must be a string",
                "TypeError",
                "not isinstance(item, str)",
            )
            return checks, [*inside, "key = item.strip()"]
        if parameter.form is Form.NAMES:
            given, family = (part for part, _ in parameter.parts)
            checks = self.refuse(
                f'isinstance({name}, dict) and set({name}) == {{"{given}", "{family}"}}',
                f"{name} must have {given} and {family}, and nothing else",
                "TypeError",
            )
            checks += self.refuse(
                f"all(isinstance(part, str) for part in {name}.values())", "both names must be strings", "TypeError"
            )
            return checks, [f'key = {name}["{given}"].strip() + " " + {name}["{family}"].strip()']
        parts = zip(tool.subject, kind.keys or (kind,), strict=True)
        told = [
            (self._named(part.name, each), part.name if each.numbered else f"{part.name}.strip()")
            for part, each in parts
        ]
        values = ", ".join(value for _, value in told)
        return [line for checks, _ in told for line in checks], [
            f"key = ({values})" if kind.keys else f"key = {values}"
        ]

    def _named(self, name: str, kind: Kind) -> Lines:
        """The check of a name, or of a number that is one."""
        if kind.numbered:
            return self.refuse(
                f"isinstance({name}, int) and not isinstance({name}, bool)",
                self.type_message(name, "a whole number"),
                "TypeError",
                f"not isinstance({name}, int) or isinstance({name}, bool)",
            )
        checks = self.refuse(
            f"isinstance({name}, str)", self.type_message(name, "a string"), "TypeError", f"not isinstance({name}, str)"
        )
        if self._rng.random() < 0.3:
            checks += self.refuse(f"{name}.strip()", f"{name} is empty", wrong=f"not {name}.strip()")
        return checks

    def option(self, option: Parameter) -> Lines:
        """The check of a parameter that is no name and no bound."""
        name = option.name
        if option.enum:
            choices = "(" + ", ".join(literal(choice) for choice in option.enum) + ")"
            message = f"{name} must be one of: {', '.join(option.enum)}"
            return self.refuse(f"{name} in {choices}", message, wrong=f"{name} not in {choices}")
        if option.type == "boolean":
            message = f"{name} must be true or false"
            return self.refuse(f"isinstance({name}, bool)", message, "TypeError", f"not isinstance({name}, bool)")
        if option.type == "array":
            return self.refuse(
                f"isinstance({name}, (list, tuple)) and all(isinstance(entry, str) for entry in {name})",
                self.type_message(name, "a list of texts"),
                "TypeError",
            )
        return self.refuse(
            f"isinstance({name}, int) and not isinstance({name}, bool) and {name} >= 1",
            f"{name} must be a whole number of at least 1",
            wrong=f"isinstance({name}, bool) or not isinstance({name}, int) or {name} < 1",
        )

    def number(self, name: str, whole: bool) -> Lines:
        """The check of a number that may be anything."""
        types, thing = ("int", "a whole number") if whole else ("(int, float)", "a number")
        return self.refuse(
            f"isinstance({name}, {types}) and not isinstance({name}, bool)",
            self.type_message(name, thing),
            "TypeError",
            f"isinstance({name}, bool) or not isinstance({name}, {types})",
        )

    def day(self, name: str) -> Lines:
        """The check of a date."""
        message = f"{name} must be a date, written YYYY-MM-DD"
        return [
            *self.refuse(f"isinstance({name}, str)", message, "TypeError", f"not isinstance({name}, str)"),
            "try:",
            f"    date.fromisoformat({name})",
            "except ValueError:",
            f"    raise ValueError({literal(message)}) from None",
        ]

    def clock(self, name: str) -> Lines:
        """The check of a time of day."""
        message = f"{name} must be a time of day, written HH:MM"
        return [
            *self.refuse(f"isinstance({name}, str)", message, "TypeError", f"not isinstance({name}, str)"),
            f'hours, colon, minutes = {name}.partition(":")',
            *self.refuse(
                "len(hours) == len(minutes) == 2 and (hours + minutes).isdigit()",
                message,
            ),
            *self.refuse('hours < "24" and minutes < "60"', f"{name} is no time of day"),
        ]
