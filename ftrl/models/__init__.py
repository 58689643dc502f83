"""Making, fetching and merging model folders.

In: sizes (``init_tiny``), the name of a pretrained model (``fetch_smollm2``), or a checkpoint that verl
saved (``merge_checkpoint``). Out: a model folder - ``config.json``, tokenizer with chat template,
safetensors - that transformers, vLLM and verl load.

The ideas:

* A model folder appears whole or not at all, and never over another one.
* ``check_model_folder`` finds in milliseconds what an engine would find after half a minute, and says it in a
  sentence: whoever starts an engine calls it first.
* ``Embedder`` turns texts into vectors by a folder of another kind: a model of sentences.
* ``weights_hash`` is the identity of a policy; trajectories carry it.
* One chat template (``CHAT_TEMPLATE``, Qwen's convention) for every model made here: a longer conversation
  always begins with the text of the shorter one, so that what was sampled is what is trained on.
"""

from ftrl.models.chat_template import CHAT_TEMPLATE
from ftrl.models.checks import ModelSummary, check_model_folder, summarize_model_folder, weights_hash
from ftrl.models.embedding import Embedder, check_embedding_folder
from ftrl.models.merging import merge_checkpoint
from ftrl.models.smollm2 import fetch_smollm2
from ftrl.models.tiny import init_tiny

__all__ = [
    "CHAT_TEMPLATE",
    "Embedder",
    "ModelSummary",
    "check_embedding_folder",
    "check_model_folder",
    "fetch_smollm2",
    "init_tiny",
    "merge_checkpoint",
    "summarize_model_folder",
    "weights_hash",
]
