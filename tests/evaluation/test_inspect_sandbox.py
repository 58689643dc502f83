"""Tasks of Inspect's that run the model's code, in our sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import inspect_ai
import pytest
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.log import EvalLog
from inspect_ai.model import get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import TaskState, generate
from inspect_ai.util import sandbox

from tests.evaluation.chat_server import INSPECT, ChatServer, saying

DOUBLE = "def double(x):\n"
CHECK = "\nassert double(4) == 8\nprint('checked')\n"


@scorer(metrics=[accuracy()])
def runs(command: tuple[str, ...] = ("python", "-c"), seconds: int | None = 2) -> Scorer:
    """As HumanEval's: the code that was asked for, and a check behind it."""

    async def score(state: TaskState, target: Target) -> Score:
        code = DOUBLE + state.output.completion + CHECK
        try:
            result = await sandbox().exec([*command, code], timeout=seconds)
        except TimeoutError:
            return Score(value=0, explanation="timed out")
        return Score(value=int(result.success), explanation=result.stdout + result.stderr)

    return score


def evaluated(server: ChatServer, logs: Path, body: str, *, checked: Scorer | None = None) -> EvalLog:
    server.answer = lambda request: saying(body)
    task = inspect_ai.Task(
        dataset=MemoryDataset([InspectSample(input="Write double(x).")]),
        solver=generate(),
        scorer=checked or runs(),
        sandbox="docker",
    )
    model = get_model(INSPECT, base_url=server.url)
    (log,) = inspect_ai.eval(task, model=model, sandbox="ftrl", log_dir=str(logs), display="none")
    return log


@pytest.mark.parametrize(
    ("body", "right", "why"),
    [
        ("    return 2 * x\n", 1, "checked\n"),
        ("    return 2 + x\n", 0, "AssertionError"),
        ("    return 2 * \n", 0, "SyntaxError"),
        ("    import sys\n    sys.exit(3)\n", 0, ""),
        ("    import sys\n    sys.exit()\n", 1, ""),
        ("    while True: pass\n", 0, "timed out"),
        ("    return open('/etc/passwd').read()\n", 0, "Error"),
        ("    return 2 * x if not __import__('os').system('true') else 0\n", 0, "Error"),
    ],
)
def test_the_models_code_runs_in_our_sandbox(
    server: ChatServer, tmp_path: Path, body: str, right: int, why: str
) -> None:
    log = evaluated(server, tmp_path, body)
    assert log.status == "success", log.error
    assert log.samples
    (score,) = (log.samples[0].scores or {}).values()
    assert score.value == right, score.explanation
    assert why in (score.explanation or "")


def test_what_it_cannot_run_is_the_samples_error_and_no_wrong_answer(server: ChatServer, tmp_path: Path) -> None:
    log = evaluated(server, tmp_path, "    return 2 * x\n", checked=runs(("bash", "-c")))
    assert log.samples
    assert log.samples[0].error is not None
    assert "runs `python -c CODE` and nothing else" in log.samples[0].error.message
    assert not log.samples[0].scores


def test_files_are_kept_for_the_task(server: ChatServer, tmp_path: Path) -> None:
    @scorer(metrics=[accuracy()])
    def keeps() -> Any:
        async def score(state: TaskState, target: Target) -> Score:
            await sandbox().write_file("a.txt", "text")
            with pytest.raises(FileNotFoundError):
                await sandbox().read_file("b.txt")
            kept = await sandbox().read_file("a.txt"), await sandbox().read_file("a.txt", text=False)
            return Score(value=int(kept == ("text", b"text")))

        return score

    log = evaluated(server, tmp_path, "", checked=keeps())
    assert log.samples
    (score,) = (log.samples[0].scores or {}).values()
    assert score.value == 1
