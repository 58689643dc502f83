"""What changed from one model to another, per tensor, module and layer."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from ftrl.analysis.changes import Change, change_between
from ftrl.analysis.pairing import Pair, notes, pairs, tie
from ftrl.analysis.places import FAMILIES, Place, family, place_of, rank
from ftrl.analysis.weights import ModelFolder

READERS = 4
"""Tensors that are compared at a time: each keeps a core and some 40 MB busy, whatever its size."""

Key = TypeVar("Key")

Watch = Callable[[int, int], None]
"""Is told how many numbers are through, and how many there are."""


class Record(BaseModel):
    """A record of ``diff.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Figures(Record):
    """How far a part of the model moved.

    Attributes:
        elements: how many numbers it has.
        relative: ``‖tuned - base‖ / ‖base‖``; none where the base is all zero and the tuned one is not.
        share: of the whole model's ``‖tuned - base‖²``, 0 to 1: where the change sits.
        cosine: of the angle between before and after; none where one of them is all zero.
        changed: share of the numbers that differ, 0 to 1.
        largest: the largest difference of two numbers.
        base_norm: ``‖base‖``.
        delta_norm: ``‖tuned - base‖``.
        rounding: ``relative`` of a mere copy of the base in the tuned one's type: 0 unless that type is coarser.
            Changes of this size mean nothing.
    """

    elements: int
    relative: float | None
    share: float
    cosine: float | None
    changed: float
    largest: float
    base_norm: float
    delta_norm: float
    rounding: float | None

    @staticmethod
    def of(change: Change, whole: Change) -> Figures:
        """The figures of a part of a model whose change as a whole is ``whole``."""
        return Figures(
            elements=change.elements,
            relative=change.relative,
            share=change.delta_squares / whole.delta_squares if whole.delta_squares else 0.0,
            cosine=change.cosine,
            changed=change.changed_fraction,
            largest=change.largest,
            base_norm=math.sqrt(change.base_squares),
            delta_norm=math.sqrt(change.delta_squares),
            rounding=change.rounding,
        )


class Part(Record):
    """A part of the model.

    Attributes:
        layer: its layer, from 0; none for what lies in no layer, and for sums over layers.
        module: its module, dotted (``mlp.down``); none for sums over modules.
        figures: how far it moved.
    """

    layer: int | None
    module: str | None
    figures: Figures


class TensorChange(Record):
    """One tensor: its name, place, shape, types before and after, and how far it moved."""

    name: str
    layer: int | None
    module: str
    shape: tuple[int, ...]
    base_dtype: str
    tuned_dtype: str
    figures: Figures


class ModelDiff(Record):
    """What ``diff.json`` holds.

    Attributes:
        base: path of the model before.
        tuned: path of the model after.
        architecture: ``model_type`` of both.
        notes: what to know beside the numbers.
        whole: the whole model.
        families: attention, mlp, norms, embeddings, lm_head, other, each over all layers.
        modules: each module over all layers.
        layers: each layer over all modules, from 0.
        cells: each module of each layer; modules outside of the layers come last, with no layer.
        tensors: every tensor, in the order of the base's files.
    """

    base: str
    tuned: str
    architecture: str
    notes: tuple[str, ...]
    whole: Figures
    families: tuple[Part, ...]
    modules: tuple[Part, ...]
    layers: tuple[Part, ...]
    cells: tuple[Part, ...]
    tensors: tuple[TensorChange, ...]


def diff_models(
    base: str | os.PathLike[str], tuned: str | os.PathLike[str], *, watch: Watch = lambda done, of: None
) -> ModelDiff:
    """Compare two folders of one model, before and after training.

    The weights are read side by side in pieces, so that memory stays the same for every size of model.

    Args:
        base: the model before: a folder with ``config.json`` and safetensors (in shards or not), local or ``s3://``.
        tuned: the model after, in the same or another type.
        watch: is told how it goes on.

    Raises:
        InputError: a folder holds no model or a broken one, they are not the same model, or a tensor holds numbers
            that are not finite.
    """
    before, after = ModelFolder.open(base), ModelFolder.open(tuned)
    matched = pairs(before, after)
    changes = _compare(matched, watch)
    places = [place_of(pair.name) for pair in matched]
    whole = sum(changes, Change())

    def figures(change: Change) -> Figures:
        return Figures.of(change, whole)

    cells = _sums(places, changes)
    layers = _sums([place.layer for place in places], changes)
    modules = _sums([place.module for place in places], changes)
    families = _sums([family(place.module) for place in places], changes)
    return ModelDiff(
        base=before.path,
        tuned=after.path,
        architecture=str(before.config["model_type"]),
        notes=(*notes(before, after), *tie(before, after)),
        whole=figures(whole),
        families=tuple(
            Part(layer=None, module=name, figures=figures(families[name]))
            for name in (*FAMILIES, "other")
            if name in families
        ),
        modules=tuple(
            Part(layer=None, module=name, figures=figures(modules[name])) for name in sorted(modules, key=rank)
        ),
        layers=tuple(
            Part(layer=layer, module=None, figures=figures(layers[layer]))
            for layer in sorted(layer for layer in layers if layer is not None)
        ),
        cells=tuple(
            Part(layer=place.layer, module=place.module, figures=figures(cells[place]))
            for place in sorted(cells, key=_in_order)
        ),
        tensors=tuple(
            TensorChange(
                name=pair.name,
                layer=place.layer,
                module=place.module,
                shape=pair.base.shape,
                base_dtype=pair.base.dtype,
                tuned_dtype=pair.tuned.dtype,
                figures=figures(change),
            )
            for pair, place, change in zip(matched, places, changes, strict=True)
        ),
    )


def _compare(matched: list[Pair], watch: Watch) -> list[Change]:
    changes: list[Change] = []
    done, total = 0, sum(pair.base.elements for pair in matched)
    watch(done, total)
    with ThreadPoolExecutor(max_workers=min(READERS, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(change_between, pair.base, pair.tuned) for pair in matched]
        try:
            for future in futures:
                changes.append(future.result())
                done += changes[-1].elements
                watch(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return changes


def _in_order(place: Place) -> tuple[bool, int, tuple[int, str]]:
    return (place.layer is None, place.layer or 0, rank(place.module))


def _sums(keys: Iterable[Key], changes: list[Change]) -> dict[Key, Change]:
    sums: dict[Key, Change] = defaultdict(Change)
    for key, change in zip(keys, changes, strict=True):
        sums[key] += change
    return sums
