"""What training changed: parameter differences per layer and module.

In: two folders of one model, before and after training (safetensors, in shards or not, local or ``s3://``). Out:
how far each part moved (``diff_models``: a table, JSON, CSV, a heat map), and models that have only some of the
updates (``graft_model``), so that an evaluation can tell which of them bring the gain.

The ideas:

* A tensor's name says where it sits: its layer and its module (``mlp.down``, ``attention.q``). What no rule knows is
  shown under its own name; nothing is left out.
* Weights are read piece by piece and never a whole tensor at a time: 14 billion parameters need no more memory than 14
  million. Sums are 64-bit floats; the types of the weights are converted without loss, by NumPy alone.
* A norm is no gain. ``relative`` and ``share`` tell where training wrote; what that is good for, only a graft that is
  evaluated tells.
* A graft rounds nothing, and says in ``graft.json`` where each of its weights comes from.
"""

from ftrl.analysis.diff import Figures, ModelDiff, Part, TensorChange, diff_models
from ftrl.analysis.files import write_diff
from ftrl.analysis.graft import Graft, graft_model
from ftrl.analysis.heat import heat_map

__all__ = [
    "Figures",
    "Graft",
    "ModelDiff",
    "Part",
    "TensorChange",
    "diff_models",
    "graft_model",
    "heat_map",
    "write_diff",
]
