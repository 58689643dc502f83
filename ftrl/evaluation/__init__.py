"""Benchmarks, on the same episode loop as training (paper, section 4).

In: a benchmark's tasks, and who plays them. Out: ``results.json`` - every figure with its interval, and everything
needed to know what it means: versions, settings, how episodes ended, what was not run - and the episodes beside it.

* A ``Suite`` loads samples, plays one, scores what was played; three steps apart, so stored runs are scored again.
* ``evaluate_suite`` plays it with a model of choice, here or a provider's; no fault of ours is in a figure.
* ``evaluate`` is our own benchmark: it collects with ``ftrl.rollouts`` and reads the scores off the trajectories.
* Where published scripts differ, each one's rule is a metric or a mode of its own; none is mixed with another.
* Errors are those of tasks, not of trials; models are compared task by task (``statistics``).
* An evaluation that was cut off goes on when it is started again.
"""

from ftrl.evaluation.bfcl import BFCL
from ftrl.evaluation.evaluating import evaluate_suite, incomplete
from ftrl.evaluation.ftrl_test import EvalConfig, evaluate
from ftrl.evaluation.general import General
from ftrl.evaluation.results import EvalResults, Scores, render_table, summarize
from ftrl.evaluation.rotbench import RoTBench
from ftrl.evaluation.running import Episode, Played, RunIdentity, run_suite
from ftrl.evaluation.settings import SuiteConfig, UserSettings
from ftrl.evaluation.stored import StoredRun, compare_runs, open_run
from ftrl.evaluation.suite import DataSource, Sample, Score, Suite, Transcript
from ftrl.evaluation.suite_results import SuiteResults, render_suite, summarize_suite
from ftrl.evaluation.tau_bench import TauBench
from ftrl.evaluation.toolhop import ToolHop

__all__ = [
    "BFCL",
    "DataSource",
    "Episode",
    "EvalConfig",
    "EvalResults",
    "General",
    "Played",
    "RoTBench",
    "RunIdentity",
    "Sample",
    "Score",
    "Scores",
    "StoredRun",
    "Suite",
    "SuiteConfig",
    "SuiteResults",
    "TauBench",
    "ToolHop",
    "Transcript",
    "UserSettings",
    "compare_runs",
    "evaluate",
    "evaluate_suite",
    "incomplete",
    "open_run",
    "render_suite",
    "render_table",
    "run_suite",
    "summarize",
    "summarize_suite",
]
