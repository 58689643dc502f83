"""What training changed in the model: the heat map, from the base policy to the newest one."""

from __future__ import annotations

from pydantic import ValidationError

from ftrl import storage
from ftrl.analysis import ModelDiff, Part, diff_models
from ftrl.analysis.weights import ModelFolder
from ftrl.errors import InputError
from ftrl.reports.data import HeatCell, HeatMap
from ftrl.reports.run import Run
from ftrl.reports.texts import counted, short_path

MOST_NUMBERS = 400_000_000
"""Numbers of a model up to which the comparison is made for the report: some seconds. Larger ones, by a command."""


def heat_map_of(run: Run) -> tuple[HeatMap | None, str]:
    """The heat map; or none, and why.

    Raises:
        InputError: a model or a comparison is broken.
    """
    if run.parts.diffs:
        return _map(_read(run.parts.diffs[-1])), ""
    if not run.training:
        return None, "This run trained nothing: there is no model before and after to compare."
    training = run.training[-1]
    if not training.merged:
        return None, "No iteration is finished, so there is no trained policy yet."
    base, tuned = training.model, str(training.folder.policy(training.merged[-1]))
    if not storage.exists(storage.join(base, "config.json")):
        return None, f"The policy that training began with is not here any more ({base})."
    numbers = sum(tensor.elements for tensor in ModelFolder.open(base).tensors.values())
    if numbers > MOST_NUMBERS:
        return None, (
            f"The model has {counted(numbers, 'number')}, too many to compare while a report is made. Run: "
            f"ftrl model diff {base} {tuned} --out {storage.join(run.path, 'diff')}; then make the report again."
        )
    return _map(diff_models(base, tuned)), ""


def _read(path: str) -> ModelDiff:
    try:
        return ModelDiff.model_validate_json(storage.read_bytes(path))
    except ValidationError as error:
        raise InputError(
            f"this is not what `ftrl model diff` of this version writes ({str(error).splitlines()[0]}); run it again",
            file=path,
        ) from error


def _map(diff: ModelDiff) -> HeatMap:
    inside = [cell for cell in diff.cells if cell.layer is not None]
    modules = [part.module for part in diff.modules if any(cell.module == part.module for cell in inside)]
    return HeatMap(
        base=short_path(diff.base),
        tuned=short_path(diff.tuned),
        architecture=diff.architecture,
        elements=diff.whole.elements,
        relative=diff.whole.relative,
        changed=diff.whole.changed,
        notes=diff.notes,
        modules=tuple(str(name) for name in modules),
        layers=tuple(part.layer for part in diff.layers if part.layer is not None),
        cells=tuple(map(_cell, inside)),
        outside=tuple(_cell(cell) for cell in diff.cells if cell.layer is None),
        families=tuple(map(_cell, diff.families)),
    )


def _cell(part: Part) -> HeatCell:
    return HeatCell(
        layer=part.layer,
        module=str(part.module),
        elements=part.figures.elements,
        relative=part.figures.relative,
        share=part.figures.share,
        changed=part.figures.changed,
        largest=part.figures.largest,
    )
