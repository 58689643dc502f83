"""Writes the reference pages from the code: the command line, and the public names of every package.

``python docs/reference/generate.py [FOLDER]``; ``make docs`` runs it. In: the Typer app, and each package's
``__all__``. Out: ``cli.md``, ``ftrl.md`` and a page a package, beside this file unless a folder is named. They are not
committed: what they say stands in the code.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ftrl

HERE = Path(__file__).resolve().parent
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields")
STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
LONGEST_VALUE = 100
"""Characters of a constant's value that are worth showing."""


def packages() -> list[str]:
    """Names of the packages that have public names: ``ftrl`` and its rooms, but for the commands."""
    root = Path(inspect.getfile(ftrl)).parent
    rooms = sorted(file.parent.name for file in root.glob("*/__init__.py") if file.parent.name != "commands")
    return ["ftrl", *(f"ftrl.{room}" for room in rooms)]


def write_all(folder: Path) -> list[Path]:
    """Write all pages into ``folder``; returns them."""
    pages = {"cli": command_line(), **{name.rpartition(".")[2]: package_page(name) for name in packages()}}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)
    return [folder / f"{name}.md" for name in pages]


def command_line() -> str:
    """The page of all commands, as Typer itself writes it, with examples set as code."""
    command = [sys.executable, "-m", "typer", "ftrl.cli", "utils", "docs", "--name", "ftrl", "--title", "Command line"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^([A-Z][\w' ]*): (ftrl .*(?:\n[^\n*#`]+)*)", _example, text, flags=re.MULTILINE)


def _example(found: re.Match[str]) -> str:
    return f"{found[1]}: `{' '.join(found[2].split())}`"


def package_page(name: str) -> str:
    """The page of a package: what its docstring says, then its public names in order."""
    package = importlib.import_module(name)
    parts = [f"# {name}", _text(inspect.getdoc(package) or "")]
    for public in package.__all__:
        parts += _entry(package, public)
    return "\n\n".join(parts) + "\n"


def _entry(package: Any, name: str) -> Iterator[str]:
    item = getattr(package, name)
    yield f"## {name}"
    if inspect.isclass(item):
        yield from _class(name, item)
    elif inspect.isfunction(item):
        yield _code(_signature(name, item))
        yield _text(inspect.getdoc(item) or "")
    else:
        shown = repr(item) if not callable(item) or not hasattr(item, "__name__") else str(item)
        if len(shown) <= LONGEST_VALUE and " at 0x" not in shown:
            yield _code(f"{name} = {shown}")
        elif isinstance(item, dict):
            yield "Keys: " + ", ".join(f"`{key}`" for key in item)
        yield _text(constant_docstring(package, name))


def _class(name: str, item: type) -> Iterator[str]:
    if issubclass(item, enum.Enum):
        yield _code(f"class {name}({item.__mro__[1].__name__})")
        yield _text(inspect.getdoc(item) or "")
        yield "\n".join(f"- `{member.name}` = `{member.value!r}`" for member in item)
    elif fields := getattr(item, "model_fields", None):
        lines = [f"    {field}: {_type(item, field)}{_default(info)}" for field, info in fields.items()]
        yield _code("\n".join([f"class {name}:", *lines]))
        yield _text(inspect.getdoc(item) or "")
    else:
        made = "__init__" in vars(item) or hasattr(item, "_fields")  # a named tuple is made by its fields
        yield _code(f"class {_signature(name, item).removesuffix(' -> None')}" if made else f"class {name}")
        yield _text(inspect.getdoc(item) or "")
    for method, function in vars(item).items():
        plain = getattr(function, "__func__", function)
        plain = plain.fget if isinstance(plain, property) else plain
        if method.startswith("_") or not inspect.isfunction(plain) or not plain.__doc__:
            continue
        shown = f"{name}.{method}" if isinstance(function, property) else _signature(f"{name}.{method}", plain)
        yield f"### {name}.{method}"
        yield _code(shown)
        yield _text(inspect.getdoc(plain) or "")


def _signature(name: str, item: Callable[..., Any]) -> str:
    """Name and parameters as the source writes them; one a line if they do not fit on one."""
    signature = inspect.signature(item)
    parts: list[str] = []
    keyword_only = False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword_only:
            parts.append("*")
        keyword_only |= parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)
        stars = STARS.get(parameter.kind, "")
        default = "" if parameter.default is inspect.Parameter.empty else f" = {_value(parameter.default)}"
        parts.append(f"{stars}{parameter.name}{_annotation(': ', parameter.annotation)}{default}")
    returns = _annotation(" -> ", signature.return_annotation)
    line = f"{name}({', '.join(parts)}){returns}"
    if len(line) <= LONGEST_VALUE:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _annotation(lead: str, annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    return lead + (annotation if isinstance(annotation, str) else inspect.formatannotation(annotation))


def _type(model: type, field: str) -> str:
    for owner in model.__mro__:
        if (annotation := vars(owner).get("__annotations__", {}).get(field)) is not None:
            return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return "Any"


def _default(info: Any) -> str:
    if info.is_required():
        return ""
    return " = …" if info.default_factory is not None else f" = {_value(info.default)}"


def _value(value: Any) -> str:
    shown = str(value) if isinstance(value, enum.Enum) else repr(value)
    return "…" if " at 0x" in shown or len(shown) > LONGEST_VALUE else shown


def constant_docstring(package: Any, name: str) -> str:
    """The text below a constant's assignment, where the package has it from; empty if there is none."""
    for file in sorted(Path(package.__path__[0]).rglob("*.py")):
        body = ast.parse(file.read_text()).body
        for assignment, after in itertools.pairwise(body):
            targets = (
                assignment.targets if isinstance(assignment, ast.Assign) else [getattr(assignment, "target", None)]
            )
            if (
                any(isinstance(target, ast.Name) and target.id == name for target in targets)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                return inspect.cleandoc(str(after.value.value))
    return ""


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _text(docstring: str) -> str:
    """A docstring as Markdown: its sections become lists; nothing in it is HTML."""
    lines: list[str] = []
    section = ""
    for line in docstring.splitlines():
        heading = line.rstrip(":")
        if line.endswith(":") and heading in SECTIONS:
            section = heading
            lines += ["", f"**{heading}**", ""]
        elif section and line and not line.startswith(" "):
            section = ""
            lines += ["", _plain(line)]
        elif section and (named := re.fullmatch(r"    (\*{0,2}[\w.]+): (.*)", line)):
            lines.append(f"- `{named[1]}`: {_plain(named[2])}")
        elif section and line:
            lines.append(
                ("    " if any(entry.startswith("- ") for entry in lines[-30:]) else "") + _plain(line.strip())
            )
        else:
            lines.append(_plain(line))
    return "\n".join(lines).strip()


def _plain(line: str) -> str:
    pieces = re.split(r"(`+[^`]*`+)", line)
    return "".join(piece if piece.startswith("`") else piece.replace("<", "&lt;") for piece in pieces)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
