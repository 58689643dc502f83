"""Ray job: a benchmark. The file holds the settings of `ftrl eval ftrl-test`.

ray job submit --working-dir . -- python jobs/evaluate.py --config jobs/configs/evaluate.yaml
"""

from __future__ import annotations

from job import run

from ftrl import evaluation
from ftrl.evaluation import EvalConfig, EvalResults


def evaluate(config: EvalConfig) -> EvalResults:
    """Play what has not been played yet, and score all of it."""
    return evaluation.evaluate(config)


if __name__ == "__main__":
    run(EvalConfig, evaluate)
