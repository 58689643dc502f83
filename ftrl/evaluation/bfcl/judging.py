"""The program that runs in the sandbox: the official checkers and classes, asked one thing.

Its text is sent there together with their sources (``official``); this process only ever reads it.
"""

from __future__ import annotations

from typing import Any


def judge(modules: dict[str, str], request: dict[str, Any]) -> dict[str, Any]:
    """Import the modules from their sources and do what is asked.

    Args:
        modules: dotted name → source. Their packages need none.
        request: ``do`` and what it needs: ``calls`` (are these right?), ``execute`` (what do these calls return, after
            those?), ``turns`` (are these conversations' calls right?).

    Returns:
        ``outputs`` for ``execute``; else ``valid`` and ``why``.
    """
    # What stands at the program's top is not seen from in here: so the sandbox calls tools, as the published code does.
    import importlib
    import importlib.abc
    import importlib.util
    import sys

    class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
            package = any(other.startswith(name + ".") for other in modules)
            known = package or name in modules
            return importlib.util.spec_from_loader(name, self, is_package=package) if known else None

        def exec_module(self, module: Any) -> None:
            exec(compile(modules.get(module.__name__, ""), module.__name__, "exec"), module.__dict__)

    sys.meta_path.insert(0, Sources())
    long = "long_context" in request.get("id", "")
    if request["do"] == "calls":
        enums = importlib.import_module("bfcl_eval.constants.enums")
        checker = importlib.import_module("bfcl_eval.eval_checker.ast_eval.ast_checker").ast_checker
        language = enums.Language(request["language"])
        arguments: tuple[Any, ...] = (
            request["functions"],
            request["calls"],
            request["answer"],
            language,
            request["category"],
            "ftrl",
        )
    else:
        running = importlib.import_module("bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils")
        entry = request["entry"]
        if request["do"] == "execute":
            outputs: list[str] = []
            for step in request["steps"]:
                outputs, _ = running.execute_multi_turn_func_call(
                    step, entry["initial_config"], entry["involved_classes"], "ftrl", entry["id"], long
                )
            return {"outputs": outputs}
        multi_turn = importlib.import_module("bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker")
        checker = multi_turn.multi_turn_checker
        arguments = (request["turns"], request["answer"], entry, request["category"], "ftrl")
    try:
        found = checker(*arguments)
    except Exception as error:  # noqa: BLE001 - where the checker stops, the leaderboard's run would
        return {"valid": False, "why": f"the official checker stopped: {type(error).__name__}: {error}"}
    why = found.get("error") or found.get("error_message") or ""
    return {"valid": bool(found["valid"]), "why": " ".join(map(str, why)) if isinstance(why, list) else str(why)}
