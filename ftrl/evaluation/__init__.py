"""Benchmarks, on the same episode loop as training (paper, section 4).

In: a model, a benchmark's tasks. Out: ``results.json`` - scores per scenario and on average, with everything needed
to know what they mean: versions, settings, weights, how episodes ended, what failed - and the trajectories beside it.

* ``evaluate`` collects with ``ftrl.rollouts`` and reads the scores off the stored trajectories: nothing is scored
  in a second way.
* The macro average weighs the four scenarios alike; the mean over tasks weighs tasks alike.
* An evaluation that was cut off goes on when it is started again.
"""

from ftrl.evaluation.ftrl_test import EvalConfig, evaluate
from ftrl.evaluation.results import EvalResults, Scores, render_table, summarize

__all__ = ["EvalConfig", "EvalResults", "Scores", "evaluate", "render_table", "summarize"]
