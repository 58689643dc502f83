"""Our sandbox as one of Inspect's: tasks that run the model's code (HumanEval, MBPP) need no Docker then.

It does what those tasks ask for: ``python -c CODE``. There is no shell, and files are only kept, not seen by the code.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal, overload

from inspect_ai.util import ExecResult, SandboxEnvironment, SandboxEnvironmentConfigType, sandboxenv

from ftrl.evaluation import python_program
from ftrl.sandbox import Call, CallStatus, Limits, Sandbox

NAME = "ftrl"
SECONDS = 30
"""What a program may take where the task says nothing; HumanEval and MBPP say so much."""

_PROGRAM = Path(python_program.__file__).read_text()


@sandboxenv(name=NAME)
class FtrlSandbox(SandboxEnvironment):
    """One sample's sandbox; the processes behind it are shared by all samples."""

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, bytes] = {}

    @classmethod
    async def sample_init(
        cls, task_name: str, config: SandboxEnvironmentConfigType | None, metadata: dict[str, str]
    ) -> dict[str, SandboxEnvironment]:
        """A sandbox for a sample."""
        return {"default": cls()}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        """Nothing is left of a sample."""

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Run a Python program.

        Raises:
            TimeoutError: it took longer than it may.
            NotImplementedError: something else than ``python -c CODE`` is asked for.
            RuntimeError: the sandbox failed, not the program; Inspect lists the sample as an error and scores it not.
        """
        if len(cmd) != 3 or cmd[0] not in ("python", "python3") or cmd[1] != "-c" or input or cwd or env or user:
            raise NotImplementedError(f"the sandbox '{NAME}' runs `python -c CODE` and nothing else, not {cmd[:2]}")
        call = Call("run_python", json.dumps({"code": cmd[2]}), _PROGRAM)
        (result,) = await _sandbox(timeout or SECONDS).run_async([call])
        if result.status is CallStatus.TIMEOUT:
            raise TimeoutError(result.output)
        if result.status is CallStatus.INFRASTRUCTURE:
            raise RuntimeError(result.output)
        if result.status is not CallStatus.OK:
            return ExecResult(success=False, returncode=1, stdout="", stderr=result.output)
        found = json.loads(result.output)
        return ExecResult(found["status"] == 0, found["status"], found["stdout"], found["stderr"])

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Keep a file."""
        self._files[file] = contents.encode() if isinstance(contents, str) else contents

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        """A file that was kept.

        Raises:
            FileNotFoundError: there is none.
        """
        if file not in self._files:
            raise FileNotFoundError(file)
        return self._files[file].decode() if text else self._files[file]


@lru_cache
def _sandbox(seconds: int) -> Sandbox:
    """One for all samples; ends with this process."""
    return Sandbox(limits=Limits(seconds=seconds))
