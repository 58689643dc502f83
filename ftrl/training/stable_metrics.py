"""The names under which a run is watched: the same whatever verl calls its own, and listed in docs/training.md.

Means over a step's responses of what the reward manager says come under ``ftrl/`` by themselves; here is the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

FROM_VERL = {
    "ftrl/prompt_tokens": ("prompt_length/mean",),
    "ftrl/response_tokens": ("response_length/mean",),
    "ftrl/cut_off": ("response_length/clip_ratio",),
    "ftrl/kl": ("actor/kl_loss",),
    # The first is of the policy that sampled; where its log-probabilities are not made again, there is only the second,
    # of the policy that is being updated.
    "ftrl/entropy": ("actor/entropy", "actor/entropy_loss"),
    "ftrl/gradient_norm": ("actor/grad_norm",),
    "ftrl/step_seconds": ("timing_s/step",),
}
"""Our name → verl's, the first that is there. There is a KL only with ``optim.kl_loss``."""


def stable_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Our names for a step's metrics of verl."""
    named = {}
    for ours, theirs in FROM_VERL.items():
        there = [name for name in theirs if name in metrics]
        if there:
            named[ours] = metrics[there[0]]
    # Engines sample first and then wait: for log-probabilities, the update, and its weights.
    named["ftrl/engine_idle_seconds"] = metrics["timing_s/step"] - metrics["timing_s/gen"]
    return named
