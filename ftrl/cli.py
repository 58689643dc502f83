"""The command line: ``ftrl …``. Each command lives in ``ftrl/commands`` and is a few lines: parse, call, print."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from typing import Annotated

import typer

from ftrl.errors import FtrlError
from ftrl.termination import terminable

app = typer.Typer(
    name="ftrl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

GROUPS = ("env", "sandbox", "reward", "model", "rollouts")
"""Command modules that are groups of commands: ``ftrl env import …``."""

COMMANDS = ("quickstart", "doctor", "synth", "rollout", "train", "evaluate", "report", "view")
"""Command modules that add commands of their own to the top level."""


@app.callback()
def _settings(
    require_isolation: Annotated[
        str | None,
        typer.Option(
            "--require-isolation",
            metavar="LEVEL",
            help="Refuse to run tools with less isolation: process, kernel or full (see `ftrl doctor`).",
        ),
    ] = None,
) -> None:
    """Builds verifiable tool-use environments and trains language models in them."""
    if require_isolation is not None:
        os.environ["FTRL_REQUIRE_ISOLATION"] = require_isolation  # so that it reaches the workers, too


def _assemble() -> None:
    for name in COMMANDS:
        importlib.import_module(f"ftrl.commands.{name}").register(app)
    for name in GROUPS:
        app.add_typer(importlib.import_module(f"ftrl.commands.{name}").app, name=name)


_assemble()


def _s3_fault(error: Exception) -> str | None:
    from ftrl.storage import s3_fault  # only now: it takes long to import

    return s3_fault(error)


def main() -> None:
    """Run the command line; errors a user can act on end as one message and their exit code."""
    try:
        with terminable():
            app()
    except FtrlError as error:
        print(f"ftrl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" while writing {error.filename}" if error.filename else ""
            message = f"the disk is full{where}; free some space and run the command again"
        elif (fault := _s3_fault(error)) is not None:
            message = fault
        else:
            raise
        print(f"ftrl: {message}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("ftrl: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except SystemExit as leaving:
        if leaving.code == signal.SIGTERM:
            print("ftrl: stopped by SIGTERM; what was finished is kept", file=sys.stderr)
            sys.exit(128 + signal.SIGTERM)
        raise


if __name__ == "__main__":
    main()
