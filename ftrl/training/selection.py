"""Which snapshots become prompts. Nothing is left out by default but what is over-long: that is the published recipe.

Tasks without variance are known before anything is tokenised, from two columns of the store. Repeated states and caps
are decided on the rows: sorted by ``order``, equal states lie side by side; a cap keeps those of a class whose random
draws are smallest. So what is selected depends on the store and the seed alone, not on who was faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from ftrl.rollouts.parts import read_batches
from ftrl.training.config import SelectConfig

REPEATED, SCENARIO_CAP, SOLVE_RATE_CAP = "repeated state", "scenario cap", "solve rate cap"
"""Why a prompt is left out."""

SELECTING_COLUMNS = ("order", "sample", "step", "scenario", "solve_rate", "scenario_draw", "solve_rate_draw")

_SCORED = ("environment_id", "metrics")

Limits = Mapping[str, int]
"""Class → the largest draw that is kept; a class that is not named is kept whole."""


class Selected(BaseModel):
    """What became of an iteration's snapshots: how many there are, how many are prompts, why the others are not."""

    model_config = ConfigDict(frozen=True)

    snapshots: int
    prompts: int
    left_out: dict[str, int]

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        return f"{self.prompts} prompts of {self.snapshots} snapshots; left out: {reasons or 'none'}"


def together(parts: Iterable[Selected]) -> Selected:
    """What became of the snapshots of all parts."""
    snapshots = prompts = 0
    left_out = Counter[str]()
    for part in parts:
        snapshots += part.snapshots
        prompts += part.prompts
        left_out.update(part.left_out)
    return Selected(snapshots=snapshots, prompts=prompts, left_out=dict(left_out))


def flat_tasks(parts: Iterable[str]) -> frozenset[str]:
    """Tasks whose samples, two or more, all have the same F1 under the rules that are trained on.

    Args:
        parts: Parquet files of a trajectory store.
    """
    seen: dict[str, tuple[int, float, float]] = {}
    for row in (row for part in parts for table in read_batches(part, _SCORED) for row in table.to_pylist()):
        f1 = row["metrics"][0]["f1"]
        count, low, high = seen.get(row["environment_id"], (0, f1, f1))
        seen[row["environment_id"]] = (count + 1, min(low, f1), max(high, f1))
    return frozenset(task for task, (count, low, high) in seen.items() if count > 1 and low == high)


def in_order(rows: pa.Table) -> pa.Table:
    """Rows as they are trained on."""
    return rows.sort_by([(name, "ascending") for name in ("order", "sample", "step")])


class Selection:
    """What is left out of the rows that have become prompts.

    Args:
        select: what is asked for.
        pieces: gives all rows, with ``SELECTING_COLUMNS`` only, in pieces that keep equal ``order`` together; called
            once for each cap, for which eight bytes a row are held.
    """

    def __init__(self, select: SelectConfig, pieces: Callable[[], Iterable[pa.Table]]) -> None:
        self._select = select
        self._scenarios: Limits = {}
        self._solve_rates: Limits = {}
        if select.scenario_cap is not None:
            rows = (self.of(piece)[0] for piece in pieces())
            self._scenarios = _limits(select.scenario_cap, ((_scenarios(row), row["scenario_draw"]) for row in rows))
        if select.solve_rate_cap is not None:
            rows = (self.of(piece)[0] for piece in pieces())
            self._solve_rates = _limits(
                select.solve_rate_cap, ((_solve_rates(row), row["solve_rate_draw"]) for row in rows)
            )

    def of(self, piece: pa.Table) -> tuple[pa.Table, Counter[str]]:
        """The rows of a piece that are kept, in order, and how many are not, by reason."""
        rows, left_out = in_order(piece), Counter[str]()
        if self._select.drop_repeated_states and len(rows):
            order = rows["order"].to_numpy()
            rows = _keep(rows, np.append(True, order[1:] != order[:-1]), REPEATED, left_out)
        if self._scenarios:
            rows = _keep(
                rows, _within(self._scenarios, _scenarios(rows), rows["scenario_draw"]), SCENARIO_CAP, left_out
            )
        if self._solve_rates:
            kept = _within(self._solve_rates, _solve_rates(rows), rows["solve_rate_draw"])
            rows = _keep(rows, kept, SOLVE_RATE_CAP, left_out)
        return rows, left_out


def _keep(rows: pa.Table, mask: np.ndarray, reason: str, left_out: Counter[str]) -> pa.Table:
    if lost := int(len(mask) - mask.sum()):
        left_out[reason] += lost
    return rows.filter(pa.array(mask))


def _scenarios(rows: pa.Table) -> np.ndarray:
    return np.asarray(rows["scenario"].to_pylist(), dtype=object)


def _solve_rates(rows: pa.Table) -> np.ndarray:
    """The classes of ``select.solve_rate_cap``: nothing of the task solved yet, some of it, all of it."""
    rates = rows["solve_rate"].to_numpy()
    return np.select([rates <= 0, rates >= 1], ["none", "all"], "some")


def _within(limits: Limits, classes: np.ndarray, draws: pa.ChunkedArray) -> np.ndarray:
    numbers = draws.to_numpy()
    mask = np.ones(len(numbers), dtype=bool)
    for name, limit in limits.items():
        mask &= (classes != name) | (numbers <= np.uint64(limit))
    return mask


def _limits(cap: float, rows: Iterable[tuple[np.ndarray, pa.ChunkedArray]]) -> Limits:
    """The draws up to which each class is kept, so that none has more than ``cap`` times as many as the rarest."""
    draws: dict[str, list[np.ndarray]] = {}
    for classes, numbers in rows:
        column = numbers.to_numpy()
        for name in np.unique(classes):
            draws.setdefault(str(name), []).append(column[classes == name])
    found = {name: np.concatenate(columns) for name, columns in draws.items()}
    most = int(cap * min(map(len, found.values()), default=0))
    return {name: int(np.partition(column, most - 1)[most - 1]) for name, column in found.items() if len(column) > most}
