"""What every job does around its work: read its YAML files, and end so that a scheduler knows what came of it.

Exit codes are those of the commands: 0 done; 1 the work failed or was stopped, what was finished is kept and the same
job goes on with it; 2 the configuration is wrong, and the message names file, line and field. Jobs always go on with
what is there already: whoever submits one again, a person or a scheduler that retries, means just that.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from ftrl import storage
from ftrl.errors import FtrlError
from ftrl.settings_files import Layers, read_layers
from ftrl.termination import terminable

C = TypeVar("C", bound=BaseModel)

JOB_SETTINGS = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Where Ray leaves a job's settings in the environment of its entry point."""

STOPPED = "stopped by SIGTERM; what was finished is kept: submit the same job again to go on"
"""What a job says last when it was asked to end."""


def run(kind: type[C], work: Callable[[C], BaseModel]) -> None:
    """Do a job's work as the command line asks for it, print its report as JSON, and exit.

    Args:
        kind: what the configuration file holds.
        work: the job itself.
    """
    parser = argparse.ArgumentParser(description=sys.modules[work.__module__].__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--config",
        action="append",
        required=True,
        metavar="FILE",
        help="YAML file, local or s3://; see jobs/configs. Given again, each is laid over those before it",
    )
    files = parser.parse_args().config

    def whole() -> None:
        with terminable():
            print(work(read(files, kind)).model_dump_json(indent=2), flush=True)

    sys.exit(ended(whole))


def ended(work: Callable[[], None]) -> int:
    """Do the work and tell the exit code; errors that a user can act on are one message on stderr."""
    try:
        work()
    except FtrlError as error:
        return _told(str(error), error.exit_code)
    except Exception as error:
        if (told := _sentence(error)) is None:
            raise
        return _told(told, 1)
    except KeyboardInterrupt:
        return _told("interrupted; what was finished is kept", 130)
    except SystemExit as leaving:
        if leaving.code != signal.SIGTERM:
            raise
        return _told(STOPPED, 1)
    return 0


def _sentence(error: Exception) -> str | None:
    """What is to be told of an error that is none of ours; nothing of those that nobody foresaw."""
    from ray.exceptions import RuntimeEnvSetupError

    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and submit the job again"
    if isinstance(error, RuntimeEnvSetupError):
        why = str(error).strip().splitlines()[-1]  # what went before is Ray's account of it
        return f"Ray could not lay out this job's files on a node: {why}; mend that and submit it again"
    return storage.s3_fault(error)


def _told(message: str, code: int) -> int:
    print(f"ftrl: {message}", file=sys.stderr, flush=True)
    return code


def read(files: str | Sequence[str], kind: type[C], environment: Mapping[str, str] = os.environ) -> C:
    """The job's configuration.

    Args:
        files: YAML files, local or on S3, each laid over those before it; one may be given as it is.
        kind: what they hold.
        environment: tells whether this is a job of a Ray cluster.

    Raises:
        InputError: a file is missing, is no YAML, or a field is wrong; the message names file, line and field.
    """
    layers = read_layers(files)
    config = layers.into(kind)
    if in_a_copy(environment):
        _refuse_lost_output(config, layers)
    return config


def _refuse_lost_output(config: BaseModel, layers: Layers) -> None:
    parts = {"out": config, **{f"{name}.out": part for name, part in config if isinstance(part, BaseModel)}}
    for field, part in parts.items():
        out = getattr(part, "out", None)
        if isinstance(out, str) and storage.is_local(out) and not Path(out).is_absolute():
            raise layers.error(
                f"'{out}' would lie in the copy of the working folder that Ray made for this job, and be deleted with "
                "it; give s3://… or an absolute path on a disk that all nodes share",
                *field.split("."),
            )


def in_a_copy(environment: Mapping[str, str]) -> bool:
    """Whether this is a Ray job that was submitted with ``--working-dir``."""
    settings = json.loads(environment.get(JOB_SETTINGS) or "{}")
    return bool((settings.get("runtime_env") or {}).get("working_dir"))
