"""The prompts, as files, so that they can be read, compared and changed on their own.

``NAME.vN.md`` has two parts: what the model is told in general, and, behind ``<!-- user -->``, the case at hand.
``{{name}}`` stands for a text that is put in, and what stands between ``{{#name}}`` and ``{{/name}}`` is left out
where that text is empty. Answers are recorded under the words that were asked, so that a change of a prompt asks
anew; a change of what it wants is a new version. Older versions stay, for what was recorded with them.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources

from pydantic import BaseModel

from ftrl.llm import Prompt, answer_schema

_FILE = re.compile(r"(\w+)\.v(\d+)\.md")
_SECTION = re.compile(r"\{\{#(\w+)\}\}\n?(.*?)\{\{/\1\}\}", re.DOTALL)
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_NAMED = re.compile(r"\{\{#?(\w+)\}\}")
_BREAK = "<!-- user -->\n"


@cache
def versions(name: str) -> tuple[str, ...]:
    """The versions of a prompt, such as ``decompose.v2``, newest first; none where there is no such prompt."""
    found = [match for file in resources.files(__package__).iterdir() if (match := _FILE.fullmatch(file.name))]
    numbers = sorted((int(match[2]) for match in found if match[1] == name), reverse=True)
    return tuple(f"{name}.v{number}" for number in numbers)


def prompt(version: str, form: type[BaseModel], texts: dict[str, str]) -> Prompt:
    """A prompt with its slots filled in, and the schema of its answer at the end of the general part.

    Args:
        version: such as ``decompose.v1``.
        form: the answer's type.
        texts: by slot; a version takes those that it has, and leaves others to other versions.
    """
    system, user = _parts(version)
    if missing := set(_NAMED.findall(system + user)) - set(texts):
        raise ValueError(f"the prompt {version} has the slots {sorted(missing)}, too, not only {sorted(texts)}")
    schema = json.dumps(answer_schema(form), ensure_ascii=False)
    general = f"{_filled(system, texts)}\nAnswer with one JSON object of this schema, and nothing else:\n{schema}\n"
    return Prompt(version, general, _filled(user, texts))


def _filled(text: str, texts: dict[str, str]) -> str:
    kept = _SECTION.sub(lambda match: match[2] if texts[match[1]] else "", text)
    return _SLOT.sub(lambda match: texts[match[1]], kept)


@cache
def _parts(version: str) -> tuple[str, str]:
    text = (resources.files(__package__) / f"{version}.md").read_text(encoding="utf-8")
    system, found, user = text.partition(_BREAK)
    if not found:
        raise ValueError(f"the prompt {version} has no part for the case at hand")
    return system, user
