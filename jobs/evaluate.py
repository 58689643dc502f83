"""Ray job: a benchmark. The file holds the settings of `ftrl eval SUITE`; `suite` says which, ftrl-test if left out.

ray job submit --working-dir . -- python jobs/evaluate.py --config jobs/configs/evaluate.yaml
"""

from __future__ import annotations

from typing import Literal

from job import run
from pydantic import Field

from ftrl import evaluation
from ftrl.errors import FtrlError
from ftrl.evaluation import EvalConfig, EvalResults, SuiteConfig, SuiteResults, incomplete
from ftrl.rollouts.settings import settings_from


class AnySuite(SuiteConfig):
    """An evaluation of any suite, our own among them."""

    suite: Literal["ftrl-test", "bfcl", "general", "rotbench", "tau-bench", "toolhop"] = Field(  # type: ignore[assignment]
        default="ftrl-test", description="Which benchmark; each has a command of its own, `ftrl eval SUITE`."
    )


def evaluate(config: AnySuite) -> EvalResults | SuiteResults:
    """Play what has not been played yet, and score all of it.

    Raises:
        FtrlError: something could not be played; the figures are written, without it.
    """
    given = {name: getattr(config, name) for name in config.model_fields_set}
    if config.suite == "ftrl-test":
        own = {name: value for name, value in given.items() if name in EvalConfig.model_fields and value is not None}
        own["tasks"] = config.data
        results: EvalResults | SuiteResults = evaluation.evaluate(settings_from(EvalConfig, **own))
    else:
        results = evaluation.evaluate_suite(SuiteConfig(**given))
    if (missing := incomplete(results)) is not None:
        raise FtrlError(missing)
    return results


if __name__ == "__main__":
    run(AnySuite, evaluate)
