"""How fast trajectories are collected, next to the published way and to a bare vLLM engine.

    python benchmarks/collection_speed.py MODEL [--tasks TASKS.jsonl] [--limit 6] [--samples 8] [--published 6]

Three measurements, one after the other, each with the machine to itself, starts and the loading of weights left out:

* ``ftrl rollout``: Ray, engine, sandbox, both scores, store.
* A bare vLLM engine (its offline ``LLM``) that is given all prompts of that collection at once and generates as many
  tokens for each: what the engine could do if nobody had to wait for a tool. No log-probabilities, no text.
* The published way, written afresh: ``generate`` of transformers, one conversation at a time, each turn's prompt read
  from its beginning, the calls made in the same process. A sample of episodes is enough.

TASKS are in the published format; generated ones if left out. MODEL is a folder: ``ftrl model fetch smollm2 DIR``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

from figures import figure
from published_way import call_here

from ftrl.environments import Environment, open_tasks
from ftrl.rollouts import CollectConfig, EngineSettings, EpisodeSettings, Trajectory, TrajectoryStore, collect
from ftrl.rollouts.fleet import vllm_runs_on_cpu
from ftrl.rollouts.prompts import render_prompt, tokenise
from ftrl.rollouts.token_conversation import Sampled, TokenPolicy
from ftrl.rollouts.vllm_policy import prepare_process
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tool_calls import parse_qwen

T = TypeVar("T")


@dataclass(frozen=True)
class Pace:
    """What one way did in its time."""

    turns: int
    tokens: int
    seconds: float

    def line(self, name: str, load: float) -> str:
        return (
            f"{name:<24}{self.turns:>6} turns {self.tokens:>8} tokens {self.seconds:>8.1f} s"
            f"{self.turns / self.seconds * 3600:>10.0f} turns/h{self.tokens / self.seconds:>8.1f} tokens/s"
            f"   (load {load:.1f} before)"
        )


def alone(work: Callable[..., T], *arguments: Any) -> T:
    """Run it in a process of its own, which gives everything back."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def collecting(config: CollectConfig) -> Pace:
    """Our way."""
    report = collect(config)
    episodes = list(TrajectoryStore.open(config.out))
    return Pace(sum(len(one.turns) for one in episodes), report.tokens, report.seconds)


class Recorded(TokenPolicy):
    """Samples what was sampled, and remembers the prompts that it was given."""

    def __init__(self, tokenizer: Any, trajectory: Trajectory) -> None:
        self.tokenizer = tokenizer
        self.max_model_len = 1 << 30
        self.prompts: list[list[int]] = []
        self._turns = iter(trajectory.turns)

    async def sample(self, prompt: list[int], limit: int, settings: EpisodeSettings, seed: int | None) -> Sampled:
        self.prompts.append(prompt)
        turn = next(self._turns)
        return Sampled(turn.token_ids, turn.logprobs, turn.finish_reason)


def requests(config: CollectConfig) -> Iterator[tuple[list[int], int]]:
    """Every prompt of a collection, and how many tokens followed it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(config.model)
    tools = {environment.id: environment.tools for environment in open_tasks(config.tasks)}
    for trajectory in TrajectoryStore.open(config.out):
        sampler = Recorded(tokenizer, trajectory)
        conversation = sampler.converse(tools[trajectory.environment_id], config.episode)
        turns = (at for at, message in enumerate(trajectory.messages) if message["role"] == "assistant")
        for at, turn in zip(turns, trajectory.turns, strict=True):
            asyncio.run(conversation.generate(trajectory.messages[:at]))
            assert len(sampler.prompts[-1]) == turn.prompt_tokens
            yield sampler.prompts[-1], len(turn.token_ids)


def bare(config: CollectConfig) -> Pace:
    """The engine alone, with everything at once."""
    cpu = vllm_runs_on_cpu()
    prepare_process(config.engine, cpu=cpu)
    from vllm import LLM, SamplingParams, TokensPrompt

    asked = list(requests(config))
    engine = LLM(
        model=config.model,
        max_model_len=config.engine.max_model_len,
        enforce_eager=cpu,
        gpu_memory_utilization=config.engine.gpu_memory_utilization,
    )

    def generate(wanted: Sequence[tuple[list[int], int]]) -> int:
        prompts = [TokensPrompt(prompt_token_ids=prompt) for prompt, _ in wanted]
        lengths = [
            SamplingParams(
                temperature=config.episode.temperature,
                max_tokens=length,
                min_tokens=length,
                ignore_eos=True,
                detokenize=False,
            )
            for _, length in wanted
        ]
        done = engine.generate(prompts, lengths, use_tqdm=False)
        return sum(len(one.outputs[0].token_ids) for one in done)

    generate([(list(range(100, 132)), 8)])
    began = time.monotonic()
    tokens = generate(asked)
    return Pace(len(asked), tokens, time.monotonic() - began)


def published(config: CollectConfig, episodes: int) -> Pace:
    """One conversation at a time, by ``generate``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(config.model)
    model = AutoModelForCausalLM.from_pretrained(config.model, dtype="auto").to(device)
    tasks = open_tasks(config.tasks)
    rows = min(len(tasks), config.limit or len(tasks))

    def say(prompt: list[int]) -> list[int]:
        given = torch.tensor([prompt], device=device)
        settings = config.episode
        with torch.inference_mode():
            out = model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=settings.max_response_tokens,
                do_sample=settings.temperature > 0,
                temperature=settings.temperature,
                pad_token_id=tokenizer.eos_token_id,
            )
        return [int(token) for token in out[0][len(prompt) :]]

    def play(environment: Environment, sources: dict[str, str]) -> tuple[int, int]:
        messages, tokens = environment.messages(), 0
        for turn in range(config.episode.max_turns):
            prompt = tokenise(tokenizer, render_prompt(tokenizer, messages, environment.tools))
            if len(prompt) >= (config.engine.max_model_len or model.config.max_position_embeddings):
                return turn, tokens
            said = say(prompt)
            tokens += len(said)
            parsed = parse_qwen(tokenizer.decode(said, skip_special_tokens=True))
            ids = [f"call_{turn}_{i}" for i in range(len(parsed.calls))]
            messages.append(parsed.message(ids))
            for id_, call in zip(ids, parsed.calls, strict=True):
                output = call_here(call.name, call.arguments, sources.get(call.name, ""), 10.0)
                messages.append({"role": "tool", "content": output, "tool_call_id": id_})
            if not parsed.calls:
                return turn + 1, tokens
        return config.episode.max_turns, tokens

    say(list(range(100, 132)))
    began = time.monotonic()
    played = [play(tasks[at % rows], dict(tasks.sources(tasks[at % rows]))) for at in range(episodes)]
    seconds = time.monotonic() - began
    return Pace(sum(turns for turns, _ in played), sum(tokens for _, tokens in played), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of a model")
    parser.add_argument("--tasks", help="tasks in the published format")
    parser.add_argument("--limit", type=int, default=6, help="tasks")
    parser.add_argument("--samples", type=int, default=8, help="episodes of each")
    parser.add_argument("--max-turns", type=int, default=5)
    parser.add_argument("--max-response-tokens", type=int, default=64)
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--in-flight", type=int)
    parser.add_argument("--published", type=int, default=6, help="episodes that are played the published way")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tasks = options.tasks or f"{folder}/tasks"
        if not options.tasks:
            synthesize(SynthesisConfig.model_validate({"out": tasks, "count": options.limit}))
        config = CollectConfig(
            tasks=tasks,
            model=options.model,
            out=f"{folder}/rollouts",
            samples=options.samples,
            limit=options.limit,
            episode=EpisodeSettings(
                max_turns=options.max_turns, max_response_tokens=options.max_response_tokens, temperature=1.0
            ),
            engine=EngineSettings(max_model_len=options.max_model_len, episodes_in_flight=options.in_flight),
        )
        paces: dict[str, Pace] = {}
        for name, work, more in (
            ("ftrl rollout", collecting, ()),
            ("a bare vLLM engine", bare, ()),
            ("the published way", published, (options.published,)),
        ):
            load = os.getloadavg()[0]
            paces[name] = alone(work, config, *more)
            print(paces[name].line(name, load), flush=True)
    ours, engine, one_by_one = paces.values()
    turns = rate(ours.turns, ours) / rate(one_by_one.turns, one_by_one)
    tokens = rate(ours.tokens, ours) / rate(engine.tokens, engine)
    print(f"turns per hour, of the published way: {turns:.1f}x")
    print(f"tokens per second, of a bare engine: {tokens:.0%}")
    figure("turns per hour, of the published way", turns, target="5")
    figure("tokens per second, of a bare engine", 100 * tokens, " %", "90")


def rate(count: int, pace: Pace) -> float:
    return count / pace.seconds


if __name__ == "__main__":
    main()
