"""Trajectories → a better policy: Ray Data streams snapshots into verl, which samples, rewards and updates.

In: a ``TrainConfig`` (published recipe by default), a policy, tasks. Out: one merged policy per iteration, in the run's
folder, with verl's checkpoints and each step's metrics (paper, section 3.3 and 4.1).

* ``iterations.train`` is the method: collect → train → merge, each stage restartable.
* ``stream.PromptStream`` stands where verl expects a data loader; its position is part of verl's checkpoint.
* ``overlap.Production`` collects beside the trainer, if that is asked for; ``chunks`` makes prompts as episodes come.
* verl is not patched on GPUs: trainer, agent loop and reward manager are plugged in by its own configuration.
* ``cpu_platform`` and ``cpu_vllm`` let the same verl run where there is no GPU.
"""

from ftrl.training.config import TrainConfig, load_config

# ``train`` itself is imported from ``ftrl.training.iterations``: verl loads ``cpu_platform`` in each of its processes,
# and what this module imports, they all import.
__all__ = ["TrainConfig", "load_config"]
