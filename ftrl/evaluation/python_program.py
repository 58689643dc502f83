"""The program that runs in the sandbox: Python code as ``python -c`` runs it.

Its text is sent there (``inspect_sandbox``); this process only ever reads it.
"""

from __future__ import annotations

from typing import Any


def run_python(code: str) -> dict[str, Any]:
    """Run the code.

    Returns:
        ``status`` (0 where the code came to its end), ``stdout`` and ``stderr``.
    """
    # What stands at the program's top is not seen from in here, as with the tools of published tasks.
    import contextlib
    import io
    import traceback

    said, complained, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:  # noqa: BLE001 - whatever the code raises is its end
            traceback.print_exc(limit=-4)
            status = 1
    return {"status": status, "stdout": said.getvalue(), "stderr": complained.getvalue()}
