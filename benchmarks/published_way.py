"""The baseline: a tool call as the published code makes it, in the caller's own process."""

from __future__ import annotations

import json
import threading


def call_here(name: str, arguments: str, source: str, limit: float) -> str:
    """Compile and run the source here, in a thread that is waited for, ``limit`` seconds at most."""
    outputs: list[str] = []

    def work() -> None:
        try:
            here: dict[str, object] = {}
            exec(source, globals(), here)
            value = eval(name, globals(), here)(**json.loads(arguments))
            outputs.append(json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value))
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer
            outputs.append(f"an error occured when call {name}: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    return outputs[0] if outputs else "timed out"
