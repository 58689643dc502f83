"""The ``tables`` generator: facts come from the fictional world, everything else from templates. No model,
no network.

Item ``index`` is drawn from its own random stream, so that it is the same whatever else is made.
"""

from __future__ import annotations

from random import Random

from ftrl import __version__
from ftrl.environments.schema import Scenario
from ftrl.synthesis.candidate import Candidate, assemble
from ftrl.synthesis.config import SynthesisConfig
from ftrl.synthesis.decompose import decompose
from ftrl.synthesis.deploy import deploy
from ftrl.synthesis.document import document
from ftrl.synthesis.integrate import integrate
from ftrl.synthesis.scale import scale
from ftrl.synthesis.style import STYLES
from ftrl.synthesis.world import World


def scenario_of(config: SynthesisConfig, index: int) -> Scenario:
    """The scenario of an item: the chosen ones take turns."""
    return config.scenarios[index % len(config.scenarios)]


def build(config: SynthesisConfig, index: int, attempt: int) -> Candidate:
    """Take one item through the five stages.

    Args:
        config: which world and what kind of tasks; ``count`` does not matter.
        index: which item.
        attempt: 0, or more when earlier attempts at this item were rejected.
    """
    world = World(config.seed, config.split)
    style = STYLES[config.style]
    distractors = config.distractors or style.distractors
    rng = Random(":".join(map(str, (config.seed, config.split, index, *([attempt] if attempt else [])))))

    decomposition = decompose(world, scenario_of(config, index), style, rng)
    documents = tuple(document(step.fact.relation, style, rng) for step in decomposition.steps)
    toolset = integrate(decomposition, documents)
    toolset = scale(decomposition, toolset, style, distractors, rng)
    deployments = deploy(decomposition, toolset, world, style, rng)
    provenance = {
        "generator": "tables",
        "version": __version__,
        "seed": config.seed,
        "index": index,
        "attempt": attempt,
        "style": config.style,
        "distractors": list(distractors),
        "relations": [step.fact.relation.key for step in decomposition.steps],
    }
    return assemble(decomposition, toolset, deployments, config.split, provenance)
