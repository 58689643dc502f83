"""The command line: ``ftrl …``. Each command lives in ``ftrl/commands`` and is a few lines: parse, call, print."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Annotated

import typer

from ftrl.errors import FtrlError

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


def _storage_fault(error: Exception) -> str | None:
    """What S3's client says about credentials, endpoint or bucket, as one sentence; nothing for other errors."""
    from botocore.exceptions import BotoCoreError, ClientError

    if not isinstance(error, (BotoCoreError, ClientError)):
        return None
    return f"S3 refused or did not answer: {error}; check AWS_ENDPOINT_URL, AWS_PROFILE and the bucket, then try again"


def main() -> None:
    """Run the command line; errors a user can act on end as one message and their exit code."""
    try:
        app()
    except FtrlError as error:
        print(f"ftrl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        print(f"ftrl: the disk is full{where}; free some space and run the command again", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if (message := _storage_fault(error)) is None:
            raise
        print(f"ftrl: {message}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("ftrl: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
