"""Installs ftrl with one of its stacks into the virtual environment ``.venv``; ``make setup`` runs this.

Needs nothing but the Python that runs it (3.10-3.12) and a package registry. uv does the work; where there
is none, or one too old, it is installed into ``.tools``. What pip has been told about its registry, wheel
folders and certificates is passed on, since uv does not read pip's configuration.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"

PIP_TO_UV = {"find-links": "UV_FIND_LINKS", "index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
"""pip's settings that uv needs too, and the variables in which it reads them."""


class SetupError(Exception):
    """Setting up cannot go on; the message says what to do."""


def pip_settings(config_list: str) -> dict[str, str]:
    """The settings of ``PIP_TO_UV`` among the lines of ``pip config list``; the environment wins."""
    settings: dict[str, str] = {}
    for prefix in ("global.", "install.", ":env:."):
        for line in config_list.splitlines():
            name, separator, value = line.partition("=")
            if separator and name.startswith(prefix) and name[len(prefix) :] in PIP_TO_UV:
                settings[name[len(prefix) :]] = str(ast.literal_eval(value))
    return settings


def uv_environment(environment: dict[str, str], settings: dict[str, str]) -> dict[str, str]:
    """``environment`` with pip's ``settings`` in uv's variables, where uv has no setting of its own."""
    result = {"UV_HTTP_TIMEOUT": "600", **environment}
    for name, value in settings.items():
        words = value.split()  # pip separates several folders by white space, uv by commas
        result.setdefault(PIP_TO_UV[name], ",".join(words) if name == "find-links" else value)
    return result


def has_local_torch(environment: dict[str, str], version: tuple[int, int]) -> bool:
    """Whether a wheel folder that uv is pointed at holds a CPU build of torch for this Python."""
    folders = filter(None, environment.get("UV_FIND_LINKS", "").split(","))
    pattern = f"torch-*cpu-cp{version[0]}{version[1]}-*.whl"
    return any(any(Path(folder.replace("file://", "", 1)).glob(pattern)) for folder in folders)


def find_uv(environment: dict[str, str]) -> str:
    """The uv on PATH if it can choose torch's build, else the one in ``.tools``, installed if need be."""
    on_path = shutil.which("uv")
    if on_path and "--torch-backend" in _output([on_path, "pip", "install", "--help"], environment):
        return on_path
    own = TOOLS / "uv" / "bin" / "uv"
    if not own.exists():
        say("installing uv into .tools")
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(TOOLS / "uv")], check=False)
        if made.returncode:
            raise SetupError("this Python makes no virtual environments; install python3-venv, or uv")
        run([str(TOOLS / "uv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"], environment)
    return str(own)


def install(stack: str) -> None:
    """Make the virtual environment where it is missing, and bring it to the versions in ``constraints``."""
    environment = uv_environment(
        dict(os.environ),
        pip_settings(_output([sys.executable, "-m", "pip", "config", "list"], dict(os.environ))),
    )
    uv = find_uv(environment)
    python = VENV / "bin" / "python"
    if _output([str(python), "-c", "import sys; print(sys.version)"], environment).strip() != sys.version:
        run([uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, str(VENV)], environment)
    command = [uv, "pip", "install", "--python", str(python), "--constraints", f"constraints/{stack}.txt"]
    # Dozens of processes import torch, vLLM and verl. Where Python may not write its bytecode, each of them would
    # compile all of it again, which makes a start some times slower; so it is compiled once, here.
    command += ["--compile-bytecode"]
    if stack == "cpu":
        command += ["--overrides", "constraints/cpu-overrides.txt"]
        if not has_local_torch(environment, sys.version_info[:2]):
            say("no wheel folder holds torch's CPU build for this Python: it comes from PyTorch's own channel")
            command += ["--torch-backend", "cpu"]
    run([*command, "--editable", f".[{stack},dev]"], environment)
    for stamp in VENV.glob(".installed-*"):
        stamp.unlink()
    (VENV / f".installed-{stack}").touch()


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run one step; its output is the user's.

    Raises:
        SetupError: it failed.
    """
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise SetupError(f"this step failed (its message is above): {' '.join(command)}")


def say(text: str) -> None:
    """Tell the user what goes on."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def _output(command: list[str], environment: dict[str, str]) -> str:
    """What the command prints; nothing if there is no such command or it fails."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def main() -> None:
    """Parse the command line and install."""
    parser = argparse.ArgumentParser(description="Installs ftrl into .venv.")
    parser.add_argument("--stack", choices=["cpu", "gpu"], default="cpu")
    stack = parser.parse_args().stack
    started = time.monotonic()
    version = sys.version.split()[0]
    say(f"installing the {stack} stack into .venv with Python {version} (4 GB; minutes the first time)")
    try:
        install(stack)
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; the same command goes on where this one stopped")
    say(f"the {stack} stack is ready in .venv after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
