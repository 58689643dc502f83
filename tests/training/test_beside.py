"""What goes on beside a trainer: it makes prompts as episodes come, and tells when it cannot go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import ray as ray_module

from ftrl.errors import FtrlError, InputError
from ftrl.models import weights_hash
from ftrl.ray_session import LogicalResources, ray_session
from ftrl.rollouts import CollectConfig, Collection, EpisodeSettings, PolicyIdentity, TrajectoryStore
from ftrl.training import engine_health
from ftrl.training.chunks import TaskChunks
from ftrl.training.config import TrainConfig
from ftrl.training.overlap import Production, check_room, tasks_of_a_chunk
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.runner import TrainerStopped, watched
from ftrl.training.snapshot_rows import StreamSettings

pytestmark = pytest.mark.e2e

GPUS = 4


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    with ray_session(LogicalResources(cpus=4, gpus=GPUS)) as connected:
        yield connected


def production(settings: StreamSettings, folder: Path, store: str, notes: list[str]) -> Production:
    tasks = TaskChunks(settings, 5)
    chunks = [PromptFiles(folder / str(number)) for number in range(len(tasks.ids))]
    collection = CollectConfig(tasks=settings.environments, model=settings.model, out=store, iteration=1, resume=True)
    return Production(collection, settings, tasks, chunks, notes.append)


def test_chunks_are_told_of_in_order_until_all_has_been_collected(settings: StreamSettings, tmp_path: Path) -> None:
    # Every episode is there, as if this model had played it: nothing is left to be played.
    policy = PolicyIdentity(name=settings.model, weights=weights_hash(settings.model))
    store = TrajectoryStore.create(str(tmp_path / "store"), run="test")
    store.begin(Collection(iteration=1, policy=policy, settings=EpisodeSettings()))
    store.append(list(TrajectoryStore.open(settings.trajectories)))
    notes: list[str] = []
    with production(settings, tmp_path / "prompts", store.path, notes) as beside:
        beside.finish()
        assert beside.prompts.complete()
    assert [note.partition(":")[0] for note in notes] == ["chunk 1 of 3", "chunk 2 of 3", "chunk 3 of 3"]


def test_a_collection_that_cannot_go_on_ends_it_with_its_own_words(settings: StreamSettings, tmp_path: Path) -> None:
    other = TrajectoryStore.create(str(tmp_path / "store"), run="test")
    policy = PolicyIdentity(name="another", weights="0" * 64)
    other.begin(Collection(iteration=1, policy=policy, settings=EpisodeSettings()))
    with (
        production(settings, tmp_path / "prompts", other.path, []) as beside,
        pytest.raises(InputError, match="the episodes of iteration 1 here are by another model"),
    ):
        beside.finish()


def test_what_fails_beside_a_trainer_ends_the_training() -> None:
    class Waiting:
        """A trainer that has begun, and waits for prompts that nobody makes."""

        def run(self, log: Any, place: str) -> None:
            log.begin.remote()
            while True:
                time.sleep(1)

    def fail() -> bool:
        raise FtrlError("no engine starts")

    with pytest.raises(FtrlError, match="no engine starts"):
        watched(Waiting, (), env_vars={}, resources={}, step_timeout=1000, on_step=lambda *_: None, beside=fail)


def test_a_trainer_without_memory_says_which_setting_to_lower() -> None:
    class Greedy:
        """A trainer that asks for more memory than any machine has."""

        def run(self, log: Any, place: str) -> None:
            import torch

            torch.empty(2**48)

    with pytest.raises(FtrlError, match=r"(?s)allocate memory.*The memory ran out.*optim\.tokens_per_gpu"):
        watched(Greedy, (), env_vars={}, resources={}, step_timeout=1000, on_step=lambda *_: None)


def engine_class() -> type:
    """Actors that are, to whoever asks for their health, what verl's engines are; workers need not import the class."""

    class Engine:
        def __init__(self) -> None:
            self._status = 200
            engine = self

            class Health(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    if engine._status == 0:
                        self.wfile.write(b"220 this is a mail server\r\n")
                        return
                    self.send_response(engine._status if self.path == "/health" else 404)
                    self.end_headers()

            self._server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
            threading.Thread(target=self._server.serve_forever, daemon=True).start()

        def get_server_address(self) -> tuple[str, int]:
            return "127.0.0.1", self._server.server_address[1]

        def answer(self, status: int) -> None:
            self._status = status

    return Engine


@pytest.mark.parametrize("end", ["the actor", "what it holds", "its port", "nothing"])
def test_a_trainer_whose_engine_died_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(engine_health, "EVERY_SECONDS", 0.5)
    monkeypatch.setattr(engine_health, "GONE_SECONDS", 2.0)
    Engine = engine_class()

    class Waiting:
        """A trainer that waits for its engine, whatever becomes of that."""

        def run(self, log: Any, place: str) -> None:
            engine = ray_module.remote(num_cpus=0)(Engine).options(name="vllm_server_0_0").remote()
            ray_module.get(engine.get_server_address.remote())
            log.begin.remote()
            time.sleep(3)  # it is asked meanwhile
            if end == "the actor":
                ray_module.kill(engine)
            elif end != "nothing":
                engine.answer.remote(503 if end == "what it holds" else 0)
            time.sleep(1000 if end != "nothing" else 5)

    def train() -> None:
        watched(Waiting, (), env_vars={}, resources={}, step_timeout=1000, on_step=lambda *_: None)

    if end == "nothing":
        train()
    else:
        with pytest.raises(TrainerStopped, match="engine vllm_server_0_0 died"):
            train()


@pytest.mark.parametrize(
    ("hardware", "engines", "fits"),
    [
        ({"gpus_per_node": 2, "tensor_parallel": 1}, 2, True),
        ({"gpus_per_node": 2, "tensor_parallel": 1}, 3, False),
        ({"gpus_per_node": 4, "tensor_parallel": 2}, 1, False),
        ({"device": "cpu"}, 8, True),
    ],
)
def test_there_must_be_gpus_for_the_trainer_and_for_the_engines_beside_it(
    hardware: dict[str, Any], engines: int, fits: bool
) -> None:
    told = {"model": "m", "tasks": "t", "out": "o", "hardware": hardware}
    config = TrainConfig.model_validate({**told, "collect": {"overlap": True, "engines": engines}})
    if fits:
        check_room(config)
    else:
        with pytest.raises(InputError, match=f"this Ray has {GPUS}"):
            check_room(config)


@pytest.mark.parametrize(("batch", "samples", "tasks"), [(512, 1, 512), (512, 16, 32), (8, 3, 3), (32, 100, 1)])
def test_a_chunk_gives_a_batch_at_least(batch: int, samples: int, tasks: int) -> None:
    told = {"model": "m", "tasks": "t", "out": "o", "optim": {"batch_size": batch, "mini_batch_size": batch}}
    config = TrainConfig.model_validate({**told, "collect": {"overlap": True, "samples": samples}})
    assert tasks_of_a_chunk(config) == tasks
