"""Entry point of a worker process: ``python -s -S __main__.py``, its stdin the socket to the main process."""

import importlib
import os
import sys
import types

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    """Make this folder importable as a package of its own, without ``ftrl`` and its imports around it."""
    sys.path[:] = [path for path in sys.path if path != _FOLDER]
    package = types.ModuleType("ftrl_jail")
    package.__path__ = [_FOLDER]
    sys.modules["ftrl_jail"] = package
    importlib.import_module("ftrl_jail.worker").main()


main()
