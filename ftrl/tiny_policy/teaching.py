"""``teach``: the recipe, followed, by plain next-token prediction on one core (an hour and a half)."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from ftrl import storage
from ftrl.environments.golden import golden_turns
from ftrl.models.tiny import SMALLEST_VOCAB, init_tiny, train_tokenizer
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.tables.generator import build
from ftrl.synthesis.tables.world import World
from ftrl.tiny_policy.demonstrations import demonstrations
from ftrl.tiny_policy.drills import copying, drill
from ftrl.tiny_policy.lessons import Lesson, batches, lesson
from ftrl.tiny_policy.recipe import (
    BATCH_TOKENS,
    CONTEXT,
    FIRST_TOKEN,
    HIDDEN,
    LAYERS,
    PHASES,
    TASKS_OF_A_WORLD,
    TOKENIZER_TASKS,
    TOKENIZER_WORLD,
    VOCAB,
    Phase,
)

if TYPE_CHECKING:
    from torch import Tensor

WARM_UP = 50
"""Updates until the rates are what they are said to be."""

Watch = Callable[[int, int, float], None]
"""Told of every update: the phase, the update, the loss."""


def teach(path: str | os.PathLike[str], watch: Watch) -> None:
    """Make the policy anew.

    Args:
        path: the folder to make; it must not hold anything yet.
        watch: told how it goes on.

    Raises:
        InputError: there is something at ``path`` already.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with storage.building(path) as folder, Sandbox(workers=1) as sandbox:
        init_tiny(folder / "start", hidden=HIDDEN, layers=LAYERS, vocab=VOCAB, context=CONTEXT, texts=_texts())
        tokenizer = AutoTokenizer.from_pretrained(folder / "start")
        model = AutoModelForCausalLM.from_pretrained(folder / "start", dtype=torch.float32)
        for number, phase in enumerate(PHASES):
            stream = batches(lessons(tokenizer, phase, sandbox), BATCH_TOKENS)
            _learn(model, phase, stream, partial(watch, number))
        for file in (folder / "start").iterdir():
            file.rename(folder / file.name)
        (folder / "start").rmdir()
        model.save_pretrained(folder)


def candidates(world: int) -> Iterator[Candidate]:
    """Tasks without end, of this world and those behind it; names do not come back."""
    for seed in itertools.count(world):
        config = SynthesisConfig(out="", seed=seed)
        facts = World(seed, "train")
        for index in range(TASKS_OF_A_WORLD):
            yield build(config, facts, index, 0)


def lessons(tokenizer: Any, phase: Phase, sandbox: Sandbox) -> Iterator[Lesson]:
    """The lessons of a phase, without end."""
    seen, asked = itertools.tee(candidates(phase.seed))
    played = demonstrations(seen, phase.carelessness, sandbox, phase.seed)
    for index, (demonstration, candidate) in enumerate(zip(played, asked, strict=True)):
        yield lesson(tokenizer, demonstration)
        if phase.copies and index % phase.copies == 0:
            yield copying(VOCAB, FIRST_TOKEN, Random(f"c{phase.seed}:{index}"))
        if phase.drills and index % phase.drills == 0:
            yield lesson(tokenizer, drill(candidate, Random(f"q{phase.seed}:{index}")))


def _texts() -> Iterator[str]:
    """What the tokenizer is made for: conversations as the template renders them, and the errors of tools."""
    renderer = train_tokenizer(SMALLEST_VOCAB, context=CONTEXT)
    for candidate in itertools.islice(candidates(TOKENIZER_WORLD), TOKENIZER_TASKS):
        environment = candidate.environment
        messages: list[dict[str, Any]] = [{"role": "user", "content": environment.question}]
        messages += [{"role": "assistant", "content": turn} for turn in golden_turns(environment)]
        messages += [{"role": "tool", "content": f'{{"x": "{gold.value}"}}'} for gold in environment.golds]
        yield str(renderer.apply_chat_template(messages, tools=list(environment.tools), tokenize=False))
        for source in candidate.sources.values():
            yield "\n".join(line for line in source.splitlines() if "raise" in line)


def _learn(model: Any, phase: Phase, stream: Iterator[list[Lesson]], watch: Callable[[int, float], None]) -> None:
    import torch

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=phase.muon, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=phase.adam, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    model.train()
    for update, batch in zip(range(phase.updates), stream, strict=False):
        cosine = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * update / phase.horizon))
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * cosine * min(1.0, (update + 1) / WARM_UP)
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        watch(update, loss.item())


def _loss(model: Any, batch: list[Lesson]) -> Tensor:
    import torch

    longest = max(len(one.tokens) for one in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    weights = torch.zeros(len(batch), longest)
    for row, one in enumerate(batch):
        ids[row, : len(one.tokens)] = torch.tensor(one.tokens)
        weights[row, : len(one.tokens)] = torch.tensor(one.weights)
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    targets, weights = ids[:, 1:], weights[:, 1:]
    kept = weights > 0
    losses = torch.nn.functional.cross_entropy(logits[kept], targets[kept], reduction="none")
    return (losses * weights[kept]).sum() / weights[kept].sum()
