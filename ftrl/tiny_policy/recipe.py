"""The recipe: which lessons, how many, at which rates. Found by trial; the phases are what made the shipped policy."""

from __future__ import annotations

from dataclasses import dataclass

from ftrl.tiny_policy.demonstrations import CAREFUL, CARELESS, Carelessness

HIDDEN, LAYERS, VOCAB, CONTEXT = 192, 4, 1536, 2048
FIRST_TOKEN = 9
"""The first that is copied in a lesson in copying."""

BATCH_TOKENS = 4096
TASKS_OF_A_WORLD = 4000
TOKENIZER_WORLD, TOKENIZER_TASKS = 9000, 6000


@dataclass(frozen=True)
class Phase:
    """Lessons of one demonstrator.

    Attributes:
        seed: of its tasks; its worlds are seed, seed + 1, ….
        updates: how many.
        horizon: updates after which the rates would have fallen to a tenth, along a cosine.
        muon: rate for matrices at the start.
        adam: rate for the others.
        carelessness: of the demonstrator.
        drills: after every so many conversations comes a drill; never if 0.
        copies: before every so many conversations comes a lesson in copying; never if 0.
    """

    seed: int
    updates: int
    horizon: int
    muon: float
    adam: float
    carelessness: Carelessness = CAREFUL
    drills: int = 0
    copies: int = 0


PHASES = (
    Phase(seed=1000, updates=1300, horizon=1300, muon=2e-2, adam=2e-3),
    Phase(seed=3000, updates=750, horizon=1500, muon=1.5e-2, adam=1.5e-3),
    # Until here it copies values, knows which tools there could be, and does not read which there are.
    Phase(seed=4000, updates=200, horizon=1500, muon=1.5e-2, adam=1.5e-3, drills=2),
    Phase(seed=5000, updates=400, horizon=2000, muon=1.5e-2, adam=1.5e-3, drills=2, copies=3),
    Phase(seed=6000, updates=800, horizon=1400, muon=1.5e-2, adam=1.5e-3, drills=2),
    Phase(seed=2000, updates=120, horizon=120, muon=6e-3, adam=6e-4, carelessness=CARELESS),
)
