"""The official package, asked in the sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.bfcl import judging
from ftrl.evaluation.bfcl.data import BfclTask
from ftrl.rewards import Unscorable
from ftrl.rollouts.episode import ToolRunner
from ftrl.sandbox import Call, CallStatus

_PROGRAM = Path(judging.__file__).read_text()
_CLASSES = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
_CHECKER = (
    "bfcl_eval.constants.enums",
    "bfcl_eval.constants.type_mappings",
    "bfcl_eval.eval_checker.ast_eval.ast_checker",
    "bfcl_eval.eval_checker.ast_eval.type_convertor.java_type_converter",
    "bfcl_eval.eval_checker.ast_eval.type_convertor.js_type_converter",
)
_EXECUTION = (
    "bfcl_eval.constants.executable_backend_config",
    "bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker",
    "bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils",
)
_FILES = {
    "GorillaFileSystem": ("gorilla_file_system", "long_context"),
    "MathAPI": ("math_api",),
    "MessageAPI": ("message_api",),
    "TwitterAPI": ("posting_api",),
    "TicketAPI": ("ticket_api",),
    "TradingBot": ("trading_bot", "long_context"),
    "TravelAPI": ("travel_booking", "long_context"),
    "VehicleControlAPI": ("vehicle_control", "long_context"),
}
"""Class → the modules that it needs."""

STAND_INS = {
    # The leaderboard's list of models, which imports every provider's client. Asked is only whether a model's tools
    # are named with "_" for "."; ours are.
    "bfcl_eval.constants.model_config": """
class _Model:
    underscore_to_dot = True

MODEL_CONFIG_MAPPING = {"ftrl": _Model()}
""",
    # The sandbox has no libraries, and of this one a single tool uses a single function.
    "mpmath": """
import decimal

class _Settings:
    dps = 15

class mpf:
    def __init__(self, value):
        self.value = value

    def __truediv__(self, other):
        with decimal.localcontext() as context:
            context.prec = mp.dps
            return mpf(self.value / other.value)

    def __repr__(self):
        return "mpf('%s')" % self.value

mp = _Settings()

def log(value):
    with decimal.localcontext() as context:
        context.prec = mp.dps + 5
        return mpf(decimal.Decimal(value).ln())
""",
}
"""Module → what stands for it."""


class Official:
    """Checkers and classes of one copy of the package.

    Args:
        folder: the package's own.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._source = lru_cache(maxsize=None)(self._read)

    async def calls_are_right(
        self, task: BfclTask, calls: Sequence[Mapping[str, Any]], sandbox: ToolRunner
    ) -> tuple[bool, str]:
        """Whether these calls, each {tool: arguments}, are an answer; and why not.

        Raises:
            Unscorable: the checker could not be asked.
        """
        language = {"simple_java": "java", "simple_javascript": "javascript"}.get(task.category, "python")
        request = {
            "do": "calls",
            "functions": task.functions,
            "calls": calls,
            "answer": task.answer,
            "language": language,
            "category": task.category,
        }
        found = await self._ask(request, _CHECKER, sandbox)
        return found["valid"], found["why"]

    async def execute(self, task: BfclTask, steps: Sequence[Sequence[str]], sandbox: ToolRunner) -> list[str]:
        """What the calls of the last step return, all of them made from the start.

        Raises:
            Unscorable: they could not be made.
        """
        request = {"do": "execute", "entry": task.entry, "id": task.entry["id"], "steps": steps}
        outputs: list[str] = (await self._ask(request, self._classes(task), sandbox))["outputs"]
        return outputs

    async def turns_are_right(
        self, task: BfclTask, turns: Sequence[Sequence[Sequence[str]]], sandbox: ToolRunner
    ) -> tuple[bool, str]:
        """Whether a conversation's calls (turn, step, call) lead where the published ones do; and why not.

        Raises:
            Unscorable: the checker could not be asked.
        """
        request = {
            "do": "turns",
            "entry": task.entry,
            "id": task.entry["id"],
            "turns": turns,
            "answer": task.answer,
            "category": task.category,
        }
        found = await self._ask(request, self._classes(task), sandbox)
        return found["valid"], found["why"]

    def _classes(self, task: BfclTask) -> tuple[str, ...]:
        files = {file for name in task.entry["involved_classes"] for file in _FILES[name]}
        return (*_EXECUTION, *(f"{_CLASSES}.{file}" for file in sorted(files)))

    async def _ask(self, request: Mapping[str, Any], modules: Sequence[str], sandbox: ToolRunner) -> dict[str, Any]:
        sources = {**{name: self._source(name) for name in modules}, **STAND_INS}
        arguments = json.dumps({"modules": sources, "request": request})
        (result,) = await sandbox.run_async([Call("judge", arguments, _PROGRAM)])
        if result.status is not CallStatus.OK:
            raise Unscorable(f"the official checker could not be asked: {result.output[-500:]}")
        found: dict[str, Any] = json.loads(result.output)
        return found

    def _read(self, module: str) -> str:
        file = storage.join(self._folder, *module.split(".")[1:]) + ".py"
        if not storage.exists(file):
            raise InputError("this copy of bfcl_eval lacks a part of its checkers", file=file)
        return storage.read_bytes(file).decode()
