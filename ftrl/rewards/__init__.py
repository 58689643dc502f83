"""Tool calls and what came back → a score that can be verified (paper, section 3.2). No judge model.

In: an environment's golds, a model's parsed turns, the results of its calls. Out: a ``Score`` for one response
(training) or ``TrajectoryMetrics`` for a whole episode (evaluation).

* ``matching`` says whether an output holds a gold.
* ``Scoreboard`` keeps which golds are solved while an episode goes on: a call ticks at most one gold, the first
  unsolved one of its own tool that its output holds. Golds of the task itself are never changed.
* A ``Profile`` is a small object that names parser, matcher and metric; ``reference`` is the published behaviour.
* A result that is a failure of ours (``infrastructure``) is never scored: ``Unscorable`` is raised.
"""

from ftrl.rewards.matching import matches_reference
from ftrl.rewards.profiles import METRICS, PROFILES, Metric, Profile, profile_named
from ftrl.rewards.scoreboard import Scoreboard, ScoredCall, TrajectoryMetrics, Unscorable
from ftrl.rewards.scoring import (
    Score,
    Tick,
    TrajectoryScore,
    score_parsed,
    score_response,
    score_trajectory,
)

__all__ = [
    "METRICS",
    "PROFILES",
    "Metric",
    "Profile",
    "Score",
    "Scoreboard",
    "ScoredCall",
    "Tick",
    "TrajectoryMetrics",
    "TrajectoryScore",
    "Unscorable",
    "matches_reference",
    "profile_named",
    "score_parsed",
    "score_response",
    "score_trajectory",
]
