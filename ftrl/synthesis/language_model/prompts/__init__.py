"""The prompts, as files, so that they can be read, compared and changed on their own.

``NAME.vN.md`` has two parts: what the model is told in general, and, behind ``<!-- user -->``, the case at hand.
``{{name}}`` stands for a text that is put in. Answers are recorded under the words that were asked, so that a change
of a prompt asks anew; a change of what it wants is a new version.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources

from pydantic import BaseModel

from ftrl.llm import Prompt, answer_schema

CURRENT = {
    "pose_from_document": "pose_from_document.v1",
    "pose_from_topic": "pose_from_topic.v1",
    "decompose": "decompose.v1",
    "document": "document.v1",
    "integrate": "integrate.v1",
    "scale": "scale.v1",
    "distract": "distract.v1",
    "judge": "judge.v1",
    "deploy": "deploy.v2",
}
"""The version of each prompt that is used unless another is named. Older ones stay, for what was recorded with them."""

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_BREAK = "<!-- user -->\n"


def prompt(name: str, form: type[BaseModel], **texts: str) -> Prompt:
    """A prompt with its slots filled in, and the schema of its answer at the end of the general part.

    Args:
        name: with the version, such as ``decompose.v1``.
        form: the answer's type.
        texts: by slot; exactly those that the file has.
    """
    system, user = _parts(name)
    slots = set(_SLOT.findall(system + user))
    if slots != set(texts):
        raise ValueError(f"the prompt {name} has the slots {sorted(slots)}, not {sorted(texts)}")
    schema = json.dumps(answer_schema(form), ensure_ascii=False)
    general = f"{_filled(system, texts)}\nAnswer with one JSON object of this schema, and nothing else:\n{schema}\n"
    return Prompt(name, general, _filled(user, texts))


def _filled(text: str, texts: dict[str, str]) -> str:
    return _SLOT.sub(lambda match: texts[match[1]], text)


@cache
def _parts(name: str) -> tuple[str, str]:
    text = (resources.files(__package__) / f"{name}.md").read_text(encoding="utf-8")
    system, found, user = text.partition(_BREAK)
    if not found:
        raise ValueError(f"the prompt {name} has no part for the case at hand")
    return system, user
