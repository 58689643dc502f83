"""The whole method on one machine, at small scale: what ``ftrl quickstart`` runs.

In: a folder. Out: tasks, trajectories, checkpoints, a merged policy, two evaluations and a report in it. Every part is
the one that a large run uses; only the sizes are small. A quickstart that was stopped goes on when it is started again.
"""

from ftrl.quickstart.run import LEARNING_RATE, QuickstartReport, quickstart

__all__ = ["LEARNING_RATE", "QuickstartReport", "quickstart"]
