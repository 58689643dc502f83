"""Writes tasks as a package that another training stack installs and loads."""

from __future__ import annotations

import json
import keyword
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from ftrl import __version__, storage
from ftrl.environments import EnvironmentStore, Tasks, open_tasks
from ftrl.environments.exchange import Progress
from ftrl.errors import InputError

_ROOT = ("pyproject.toml", "README.md")
_FEWEST_CALLS = 20
"""As many calls as an episode of ours has turns."""


@dataclass(frozen=True)
class Format:
    """A stack that tasks can be exported for.

    Attributes:
        name: of its package; the templates lie in the folder of that name.
        modules: template → place in the exported package.
        beside: templates of files beside the package, besides the usual ones.
    """

    name: str
    modules: Mapping[str, str]
    beside: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("verifiers", {"__init__.py": "__init__.py", "taskset.py": "taskset.py", "tools.py": "tools.py"}),
        Format(
            "openenv",
            {
                "__init__.py": "__init__.py",
                "environment.py": "server/environment.py",
                "app.py": "server/app.py",
                "server_init.py": "server/__init__.py",
            },
            beside=("openenv.yaml",),
        ),
    )
}
"""Formats by name."""


def export_package(
    tasks: str,
    out: str,
    form: str,
    *,
    name: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Progress:
    """Write tasks as a package; it appears whole when the last task is written.

    Args:
        tasks: a store, or a file in the published format.
        out: the folder to create, on this machine.
        form: a key of ``FORMATS``.
        name: of the package; after the folder if left out.
        on_progress: called after every task.

    Raises:
        InputError: there are no tasks, the folder is there already, or the name cannot be a package's.
    """
    if form not in FORMATS:
        raise InputError(f"there is no format '{form}'; choose published, {', '.join(FORMATS)}")
    if not storage.is_local(out):
        raise InputError("a package is a folder on this machine; export it there and copy it", file=out)
    target = Path(out)
    package = _package_name(name or target.resolve().name)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError("there is something at this path; choose a new folder", file=out)
    source = open_tasks(tasks)
    if not len(source):
        raise InputError("there are no tasks to export", file=tasks)
    target.parent.mkdir(parents=True, exist_ok=True)
    built = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        done, facts = _copy_tasks(source, built / package / "tasks", on_progress)
        _write(FORMATS[form], built, package, facts, done.rows)
        built.chmod(0o755)
        built.replace(target)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(built)
        raise
    return done


@dataclass(frozen=True)
class _Facts:
    """What the texts of a package tell of its tasks."""

    splits: Mapping[str, int]
    most_golds: int


def _copy_tasks(source: Tasks, store: Path, on_progress: Callable[[Progress], None] | None) -> tuple[Progress, _Facts]:
    done = Progress(0)
    splits: Counter[str] = Counter()
    most_golds = 0
    store.parent.mkdir()
    with EnvironmentStore.create(str(store)) as writer:
        for environment in source:
            writer.add(environment, source.sources(environment))
            splits[environment.split] += 1
            most_golds = max(most_golds, len(environment.golds))
            done = Progress(done.rows + 1)
            if on_progress is not None:
                on_progress(done)
    return done, _Facts(splits, most_golds)


def _write(form: Format, built: Path, package: str, facts: _Facts, count: int) -> None:
    values = {
        "package": package,
        "distribution": package.replace("_", "-"),
        "count": f"{count:,}",
        "version": __version__,
        "counts": json.dumps(facts.splits),
        "split": next(iter(facts.splits)),
        "splits": ", ".join(f"`{split}` ({count:,})" for split, count in facts.splits.items()),
        "turns": str(max(_FEWEST_CALLS, 2 * facts.most_golds)),
    }
    templates = files("ftrl.serving") / "packages" / form.name
    places = {
        **{name: built / name for name in (*_ROOT, *form.beside)},
        **{name: built / package / place for name, place in form.modules.items()},
    }
    for name, place in places.items():
        text = Template((templates / f"{name}.template").read_text(encoding="utf-8")).substitute(values)
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")


def _package_name(name: str) -> str:
    package = re.sub(r"[-. ]", "_", name.lower())
    taken = {"ftrl", *FORMATS, *sys.stdlib_module_names}
    if not re.fullmatch(r"[a-z][a-z0-9_]*", package) or keyword.iskeyword(package) or package in taken:
        raise InputError(
            f"'{name}' cannot be the name of a package: letters, digits and _, beginning with a letter, and no name "
            "that is taken; choose one with --name"
        )
    return package
