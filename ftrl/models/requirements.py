"""Libraries that only the engines' extras bring."""

from __future__ import annotations

import importlib.util

from ftrl.errors import FtrlError


def require(*modules: str) -> None:
    """Make sure that these libraries are installed, before minutes of work fail for want of one.

    Raises:
        FtrlError: some are missing; the message tells how to get them.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise FtrlError(
            f"this needs {', '.join(missing)}, not installed here; install the extra for this machine: "
            "pip install 'ftrl[cpu]' or pip install 'ftrl[gpu]'"
        )
    if "transformers" in modules:
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # shards of small models flash by; our commands tell themselves how they go on
