"""Playing episodes: environments and a policy in, scored trajectories out (paper, sections 3.3 and 4.1).

In: tasks, a model folder, settings. Out: a ``TrajectoryStore`` - Parquet parts that training streams with Ray Data.

* ``run_episode`` is the one episode loop. Policies differ (an engine, a script), rules do not.
* ``collect`` plays what the store lacks: a ``Fleet`` of Ray actors, each one vLLM engine and many episodes at a
  time over the sandbox of their node - or, for a provider's model, thousands of conversations in this process. A
  lost engine's episodes go back to the queue; ``resume`` goes on with a run that was killed.
* A ``Trajectory`` says exactly what the model saw and sampled. A fault of ours gives no score and is played again.
* ``snapshots`` turns a trajectory into its per-step samples when they are asked for; they are never stored.
"""

from ftrl.rollouts.collection import CollectReport, Uncollected, collect
from ftrl.rollouts.episode import EpisodeKey, run_episode
from ftrl.rollouts.identity import identify
from ftrl.rollouts.manifest import Collection
from ftrl.rollouts.policy import (
    ContextFull,
    Conversation,
    EngineFault,
    EngineLost,
    Generation,
    Policy,
    ScriptedPolicy,
)
from ftrl.rollouts.prompts import render_prompt
from ftrl.rollouts.provider_policy import ProviderPolicy
from ftrl.rollouts.settings import CollectConfig, EngineSettings, EpisodeSettings, ProviderSettings
from ftrl.rollouts.snapshots import Snapshot, snapshots
from ftrl.rollouts.store import TrajectoryStore
from ftrl.rollouts.trajectory import (
    AssistantTokens,
    Metrics,
    PolicyIdentity,
    Trajectory,
    TrajectoryCall,
    TrajectoryStatus,
    Usage,
)

__all__ = [
    "AssistantTokens",
    "CollectConfig",
    "CollectReport",
    "Collection",
    "ContextFull",
    "Conversation",
    "EngineFault",
    "EngineLost",
    "EngineSettings",
    "EpisodeKey",
    "EpisodeSettings",
    "Generation",
    "Metrics",
    "Policy",
    "PolicyIdentity",
    "ProviderPolicy",
    "ProviderSettings",
    "ScriptedPolicy",
    "Snapshot",
    "Trajectory",
    "TrajectoryCall",
    "TrajectoryStatus",
    "TrajectoryStore",
    "Uncollected",
    "Usage",
    "collect",
    "identify",
    "render_prompt",
    "run_episode",
    "snapshots",
]
