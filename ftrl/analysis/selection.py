"""Which tensors a graft takes: ``--layers 0-3,7 --modules mlp,attention.q``, checked against a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ftrl.analysis.places import Place, is_within, place_of, rank
from ftrl.errors import InputError

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_END = re.compile(r"(lowest|highest):(\d+)(%?)")

NAMED = 40
"""Modules that an error names."""

LAYERS_HELP = "give numbers and ranges (0-3,7), lowest:4, highest:25%, or all"


@dataclass(frozen=True)
class Selection:
    """Tensors chosen by layer and module.

    Attributes:
        layers: the layers asked for, ascending.
        modules: the modules asked for, as they were given.
        names: the tensors, in the model's order.
    """

    layers: tuple[int, ...]
    modules: tuple[str, ...]
    names: tuple[str, ...]


def select(names: Sequence[str], *, layers: str, modules: str) -> Selection:
    """The tensors among ``names`` that lie in one of the layers and in one of the modules.

    A module outside of the layers (``embeddings``, ``norms.final``, ``lm_head``) is taken whatever the layers are if it
    is named itself; by ``all``, ``norms`` or ``biases`` it is taken only along with all layers.

    Args:
        names: tensors of a model.
        layers: ``all``, or a comma-separated list of numbers, ranges, ``lowest:N`` and ``highest:N``; ``N`` counts
            layers, or is a share of them with ``%`` (rounded, one at least).
        modules: a comma-separated list of modules as ``ftrl.analysis.places`` names them, the coarser ones included
            (``mlp``), ``biases``, ``all``, or names of tensors.

    Raises:
        InputError: a layer or a module does not exist in this model, or nothing is left.
    """
    places = {name: place_of(name) for name in names}
    present = sorted({place.layer for place in places.values() if place.layer is not None})
    every = layers.strip() == "all"
    chosen = set(present) if every else _layers(layers, present)
    wanted = [item.strip() for item in modules.split(",") if item.strip()]
    if not wanted:
        raise InputError("names no module; give some, or all", field="--modules")
    taken: set[str] = set()
    for item in wanted:
        matching = {name for name in names if name == item or is_within(places[name].module, item)}
        if not matching:
            raise InputError(
                f"there is no module {item!r} in this model; it has {', '.join(_available(places.values()))}",
                field="--modules",
            )
        kept = {
            name
            for name in matching
            if (places[name].layer in chosen)
            or (places[name].layer is None and (every or _is_named(places[name].module, item) or name == item))
        }
        if not kept:
            raise InputError(f"no tensor of {item!r} lies in the layers {layers}", field="--modules")
        taken |= kept
    if not every and all(places[name].layer is None for name in taken):
        raise InputError(
            f"nothing in --modules {modules} lies in a layer; leave --layers out, or add a module", field="--layers"
        )
    return Selection(tuple(sorted(chosen)), tuple(wanted), tuple(name for name in names if name in taken))


def _is_named(module: str, item: str) -> bool:
    return item not in {"all", "norms", "biases"} and is_within(module, item)


def _available(places: Iterable[Place]) -> list[str]:
    modules = sorted({place.module for place in places}, key=rank)
    coarse = {module.partition(".")[0] for module in modules if module.startswith(("attention.", "mlp.", "norms."))}
    biases = ["biases"] if any(module.endswith(".bias") for module in modules) else []
    names = ["all", *sorted(coarse), *biases, *modules]
    return names if len(names) <= NAMED else [*names[:NAMED], "…"]


def _layers(text: str, present: Sequence[int]) -> set[int]:
    chosen: set[int] = set()
    for item in (part.strip() for part in text.split(",") if part.strip()):
        if match := _RANGE.fullmatch(item):
            first, last = int(match[1]), int(match[2] or match[1])
            if first > last:
                raise InputError(f"{item} runs backwards; write {last}-{first}", field="--layers")
            missing = sorted({first, last} - set(present))
            if missing:
                span = f"{present[0]} to {present[-1]}" if present else "none"
                raise InputError(
                    f"there is no layer {missing[-1]} in this model; its layers are {span}", field="--layers"
                )
            chosen |= {layer for layer in present if first <= layer <= last}
        elif match := _END.fullmatch(item):
            count = int(match[2])
            if not count or count > (100 if match[3] else len(present)):
                raise InputError(
                    f"{item} is no part of this model's {len(present)} layers; {LAYERS_HELP}", field="--layers"
                )
            if match[3]:
                count = max(1, round(len(present) * count / 100))
            chosen |= set(present[:count] if match[1] == "lowest" else present[-count:])
        else:
            raise InputError(f"{item!r} is no choice of layers; {LAYERS_HELP}", field="--layers")
    if not chosen:
        raise InputError(f"names no layer; {LAYERS_HELP}", field="--layers")
    return chosen
