"""tau-bench, airline and retail: an agent serves a simulated user, and the database tells how well (Yao et al. 2024).

In: the published tasks and databases, a policy, a user. Out: transcripts, and 1 or 0 for each.

* Each episode has a database of its own, which lives in the sandbox only (``session``).
* An agent is right if the database ends as after the published ground truth, and if it told what it had to.
* ``Mode`` holds what the two published scripts do differently; they are not mixed.
* The user is whoever answers ``User``: a model of choice, or a script.
"""

from ftrl.evaluation.tau_bench.data import Action, Domain, TauTask, load_tasks
from ftrl.evaluation.tau_bench.modes import FTRL, MODES, OFFICIAL, Mode
from ftrl.evaluation.tau_bench.session import Session
from ftrl.evaluation.tau_bench.suite import TauBench
from ftrl.evaluation.tau_bench.user import STOP, User, scripted_user

__all__ = [
    "FTRL",
    "MODES",
    "OFFICIAL",
    "STOP",
    "Action",
    "Domain",
    "Mode",
    "Session",
    "TauBench",
    "TauTask",
    "User",
    "load_tasks",
    "scripted_user",
]
