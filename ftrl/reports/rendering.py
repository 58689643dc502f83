"""The records as one HTML file: frame, styles, scripts and the data, with nothing fetched from anywhere.

What models and tools said is hostile: a tool may return ``</script><script>…``. So data is never part of the markup.
It stands as JSON in a data block, with every ``<``, ``>`` and ``&`` escaped, and the scripts put it into the page as
text. Should one of them slip, the page's own policy (Content-Security-Policy) names the one script and the one style
that may be in it by their hashes, and forbids everything else, all requests included.

Charts are drawn by the scripts as SVG: a page of some hundred kilobytes that follows the reader's colours, where a
charting library would bring five megabytes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources

from ftrl.reports.data import ReportData

STYLES = ("colours", "frame", "parts", "tables", "charts", "trajectories")
SCRIPTS = (
    "elements",
    "tables",
    "charts",
    "overview",
    "construction",
    "tree",
    "tasks",
    "episodes",
    "trajectories",
    "training",
    "evaluation",
    "changes",
    "surroundings",
    "start",
)
"""Files of ``page/``, in the order in which they are put together."""

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render(data: ReportData) -> str:
    """The page.

    Raises:
        ValueError: a number of the data is not finite.
    """
    style = "\n".join(_file(f"{name}.css") for name in STYLES)
    script = '"use strict";\n(() => {\n' + "\n".join(_file(f"{name}.js") for name in SCRIPTS) + "})();\n"
    parts = {
        "title": html.escape(f"{data.overview.name}: a report by ftrl"),
        "policy": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "style": style,
        "data": data_block(data),
        "script": script,
    }
    page = _file("frame.html")
    for name, text in parts.items():
        before, mark, after = page.partition(f"<!-- {name} -->")
        assert mark, f"page/frame.html has no place for the {name}"
        page = before + text + after
    return page


def data_block(data: ReportData) -> str:
    """The data as JSON that no HTML parser can find an end or a beginning of anything in."""
    text = json.dumps(data.model_dump(mode="json"), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _file(name: str) -> str:
    return resources.files("ftrl.reports.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
