"""What options make of a name before it is looked up."""

from __future__ import annotations

from ftrl.synthesis.tables.code.voice import Lines
from ftrl.synthesis.tables.options import BEGINNING, IGNORE_CASE, IGNORE_SPACING, MISSING
from ftrl.synthesis.tables.tool import Form, Role, ToolDocument


def readings(tool: ToolDocument, names: str) -> Lines:
    """The lines that read ``key`` as the options say, and end the call where nothing is to be done about it.

    Args:
        tool: whose options.
        names: an expression for all names that the tool knows.
    """
    lines: Lines = []
    if spacing := tool.option(IGNORE_SPACING):
        lines += [f"if {spacing.name}:", '    key = " ".join(key.split())']
    if ignoring := tool.option(IGNORE_CASE):
        lines += [
            f"if {ignoring.name}:",
            f"    key = next((name for name in {names} if name.lower() == key.lower()), key)",
        ]
    if beginning := tool.option(BEGINNING):
        lines += [
            f"if {beginning.name} and len(key) >= 4:",
            f"    begun = {{name for name in {names} if name.startswith(key)}}",
            "    if len(begun) == 1:",
            "        key = begun.pop()",
        ]
    if missing := tool.option(MISSING):
        subject = tool.parameter(Role.SUBJECT)
        assert subject is not None
        leave = "continue" if subject.form is Form.LIST else "return None"
        lines += [f'if {missing.name} == "nothing" and key not in {names}:', f"    {leave}"]
    return lines
