"""Settings that are written down: YAML files laid over one another, and ``key=value`` over all of them.

A *layer* is a file or one ``key=value``. Mappings are merged key by key; anything else replaces what an earlier layer
says. An error names the layer that holds the wrong field and, in a file, its line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ftrl import storage
from ftrl.errors import InputError

M = TypeVar("M", bound=BaseModel)

DOTTED = ("verl",)
"""Parts whose keys have dots in them: in ``verl.trainer.logger=…`` all that follows ``verl`` is one key."""


class _Loader(yaml.SafeLoader):
    """YAML, with ``1e-6`` a number as everywhere but in YAML 1.1, and no key twice."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


class Layer(NamedTuple):
    """One file, or one ``key=value``: its name, what it says, and for a file where that is written."""

    name: str
    data: dict[str, Any]
    node: yaml.Node | None = None

    def depth(self, names: Sequence[str]) -> int:
        """How many of ``names``, from the outside in, lead to something that this layer says."""
        value: Any = self.data
        for count, name in enumerate(names):
            if isinstance(value, Mapping):
                value = {str(key): inner for key, inner in value.items()}
            elif isinstance(value, list):
                value = {str(index): inner for index, inner in enumerate(value)}
            else:
                return count
            if name not in value:
                return count
            value = value[name]
        return len(names)


class Layers:
    """What the layers say together.

    Attributes:
        data: the merged settings.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)
        self.data: dict[str, Any] = {}
        for layer in layers:
            self.data = self._over(self.data, layer.data, layer, ())

    def into(self, kind: type[M], *at: str) -> M:
        """The settings as a typed record.

        Args:
            kind: of record.
            at: the part that holds it, from the outside in; all, if left out. A part that says nothing is empty.

        Raises:
            InputError: a field is wrong; names layer, line and field.
        """
        value: Any = self.data
        for name in at:
            value = value[name]
        try:
            return kind.model_validate({} if value is None and at else value)
        except ValidationError as error:
            first = error.errors()[0]
            message = str(first["msg"]).removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                message = f"there is no such setting{_meant(kind, first['loc'])}"
            raise self.error(message, *at, *map(str, first["loc"])) from error

    def error(self, message: str, *names: str) -> InputError:
        """An error about a field.

        Args:
            message: what is wrong with it.
            names: of the field, from the outside in. The last layer that says something of it, or of the innermost
                part around it, is to blame; all of them, if none does.
        """
        depths = [layer.depth(names) for layer in self._layers]
        deepest = max(depths, default=0)
        field = ".".join(names) or None
        if not deepest:
            return InputError(message, file=" + ".join(layer.name for layer in self._layers) or None, field=field)
        blamed = max(index for index, depth in enumerate(depths) if depth == deepest)
        layer = self._layers[blamed]
        return InputError(message, file=layer.name, line=line_of(layer.node, names), field=field)

    def _over(self, below: Any, above: Any, layer: Layer, names: tuple[str, ...]) -> Any:
        if not isinstance(above, dict) or below is None:
            return above
        if not isinstance(below, dict):
            where = ".".join(names)
            raise InputError(f"'{where}' is a group of settings here, and a value in an earlier file", file=layer.name)
        merged = dict(below)
        for key, value in above.items():
            merged[key] = self._over(below.get(key), value, layer, (*names, str(key)))
        return merged


def read_layers(files: str | Sequence[str], assignments: Sequence[str] = ()) -> Layers:
    """Read files and lay each over those before it, and the assignments over all.

    Args:
        files: paths of YAML files, local or s3://; one may be given as it is.
        assignments: ``key=value`` with dotted keys and YAML values.

    Raises:
        InputError: a file is missing, is no YAML or no mapping, or an assignment is none.
    """
    paths = [files] if isinstance(files, str) else files
    return Layers([*map(_read, paths), *map(_assigned, assignments)])


def _read(path: str) -> Layer:
    text = storage.read_bytes(path)
    try:
        node = yaml.compose(text, _Loader)
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise InputError(f"this is not YAML ({getattr(error, 'problem', error)})", file=path, line=line) from error
    if not isinstance(data, dict):
        raise InputError("expected a mapping of settings", file=path)
    _refuse_doubles(node, path, ())
    return Layer(path, data, node)


def _refuse_doubles(node: yaml.Node | None, path: str, names: tuple[str, ...]) -> None:
    """YAML's loader would take the last of two equal keys without a word."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        inner = (*names, str(key.value))
        if key.value in seen:
            line = key.start_mark.line + 1
            raise InputError("this is written twice; keep one", file=path, line=line, field=".".join(inner))
        seen.add(key.value)
        _refuse_doubles(value, path, inner)


def _meant(kind: type[BaseModel], names: Sequence[int | str]) -> str:
    """The setting that somebody may have meant who wrote one that is not there."""
    part: type[BaseModel] | None = kind
    for name in names[:-1]:
        field = part.model_fields.get(str(name)) if part is not None else None
        part = None if field is None else next(_records(field.annotation), None)
    above = "".join(f"{name}." for name in names[:-1])
    return "" if part is None else meant(str(names[-1]), part.model_fields, above)


def meant(name: str, known: Iterable[str], above: str = "") -> str:
    """The end of an error about a name that is not there: which of those that are, below ``above``, it may be."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; is {above}{near[0]} meant?" if near else ""


def _records(annotation: Any) -> Iterator[type[BaseModel]]:
    """The records in a field's type: ``WarmStartConfig | None`` has one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _records(inner)


def _assigned(assignment: str) -> Layer:
    key, separator, text = assignment.partition("=")
    names = key.strip().split(".")
    if not separator or not all(names):
        raise InputError(f"--set takes key=value, not '{assignment}'")
    for index, name in enumerate(names):
        if name in DOTTED and index + 1 < len(names):
            names[index + 1 :] = [".".join(names[index + 1 :])]
            break
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"--set {key}: the value is not YAML") from error
    for name in reversed(names):
        value = {name: value}
    return Layer(f"--set {assignment}", value)


def line_of(node: yaml.Node | None, names: Sequence[str]) -> int | None:
    """The 1-based line of a field, or of the innermost part around it that is written down."""
    line = None
    for name in names:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == name]
        elif isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            found = [(node.value[int(name)], node.value[int(name)])]
        else:
            found = []
        if not found:
            break
        key, node = found[0]
        line = key.start_mark.line + 1
    return line
