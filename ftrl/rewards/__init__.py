"""Tool calls and what came back → a score that can be verified (paper, section 3.2). No judge model.

In: an environment's golds, a model's turns, the results of its calls. Out: a ``Score`` for one response
(training) or ``TrajectoryMetrics`` for a whole episode (evaluation), under every profile side by side.

* A ``Profile`` is a small object that names parser, matcher, metric and so on; the code is the same for all.
  ``reference`` is the published behaviour to the last digit; ``strict`` pays only for work (``docs/scoring.md``).
* ``Scoreboard`` keeps which golds are solved while an episode goes on: a call ticks at most one gold of its own
  tool that its output holds. Golds of the task itself are never changed.
* ``Context`` is what the strict profile may know beside the response: question, documents, trace, earlier outputs.
* Scoring may need a second look at a tool (``probes``), so it goes in steps: ``ResponseScoring``, ``Turn``.
* A result that is a failure of ours (``infrastructure``) is never scored: ``Unscorable`` is raised.
"""

from ftrl.rewards.context import Context, Earlier, ScoredTask, TaskFacts
from ftrl.rewards.matching import matches_reference, matches_strict
from ftrl.rewards.profiles import METRICS, PROFILES, Metric, Profile, profile_named, profiles_from
from ftrl.rewards.scoreboard import Scoreboard, ScoredCall, TrajectoryMetrics, Unscorable
from ftrl.rewards.scoring import (
    ResponseScoring,
    Score,
    Tick,
    TrajectoryScore,
    score_parsed,
    score_response,
    score_trajectories,
    score_trajectory,
)
from ftrl.rewards.streaming import score_stream
from ftrl.rewards.turn import Turn

__all__ = [
    "METRICS",
    "PROFILES",
    "Context",
    "Earlier",
    "Metric",
    "Profile",
    "ResponseScoring",
    "Score",
    "Scoreboard",
    "ScoredCall",
    "ScoredTask",
    "TaskFacts",
    "Tick",
    "TrajectoryMetrics",
    "TrajectoryScore",
    "Turn",
    "Unscorable",
    "matches_reference",
    "matches_strict",
    "profile_named",
    "profiles_from",
    "score_parsed",
    "score_response",
    "score_stream",
    "score_trajectories",
    "score_trajectory",
]
