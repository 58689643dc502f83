"""Tools that work with times and dates."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from ftrl.synthesis.tables.code.answers import checks, effects, returned, variable
from ftrl.synthesis.tables.code.keys import readings
from ftrl.synthesis.tables.code.voice import Lines, Voice, function, indented, literal
from ftrl.synthesis.tables.options import BOTH_DAYS, SIGNED
from ftrl.synthesis.tables.tool import Form, Role, ToolDocument


def local_time_source(tool: ToolDocument, offsets: Mapping[str, str], starts: Mapping[str, str], rng: Random) -> str:
    """The code of a tool that tells when an event starts by the clocks of a time zone.

    Args:
        tool: its document.
        offsets: time zone to minutes ahead of universal time.
        starts: event to day and time, of universal time.
        rng: decides how it is written.
    """
    voice = Voice(rng)
    event = tool.parameter(Role.EVENT)
    subject = tool.parameter(Role.SUBJECT)
    assert event is not None
    assert subject is not None
    data = [
        *voice.comment("Minutes ahead of universal time."),
        "offsets = {",
        *(f"    {literal(zone)}: {minutes}," for zone, minutes in offsets.items()),
        "}",
        *voice.comment("Day and time, universal time."),
        "starts = {",
        *(f"    {literal(name)}: {literal(moment)}," for name, moment in starts.items()),
        "}",
    ]
    subject_checks, key = voice.subject(tool)
    core = [
        *key,
        *readings(tool, "offsets"),
        *voice.refuse("key in offsets", voice.unknown(tool.relation.subject), "LookupError", "key not in offsets"),
        f"start = datetime.fromisoformat(starts[{event.name}]) + timedelta(minutes=offsets[key])",
        f'{variable(tool)} = start.isoformat(sep=" ", timespec="minutes")',
        *effects(tool),
    ]
    if subject.form is Form.LIST:
        core = [*core, *returned(tool, "offsets", rng, "results.append({})")]
        core = ["results = []", f"for item in {subject.name}:", *indented(core), "return results"]
    else:
        core = [*core, *returned(tool, "offsets", rng)]
    name = event.name
    event_checks = [
        *voice.refuse(
            f"isinstance({name}, str)",
            voice.type_message(name, "a string"),
            "TypeError",
            f"not isinstance({name}, str)",
        ),
        *voice.refuse(f"{name} in starts", "there is no such event", "LookupError", f"{name} not in starts"),
    ]
    lines = ["from datetime import datetime, timedelta", "", *voice.opening(), *data]
    return function(tool, [*lines, *subject_checks, *event_checks, *checks(tool, voice), *core])


def days_source(tool: ToolDocument, rng: Random) -> str:
    """The code of a tool that counts the days between two dates."""
    voice = Voice(rng)
    start, end = tool.parameter(Role.SUBJECT), tool.parameter(Role.END)
    assert start is not None
    assert end is not None
    lines = [
        "from datetime import date",
        "",
        *voice.opening(),
        *voice.day(start.name),
        *voice.day(end.name),
        *checks(tool, voice),
        *_counted(tool, start.name, end.name),
        *effects(tool),
        *returned(tool, "", rng),
    ]
    return function(tool, lines)


def _counted(tool: ToolDocument, start: str, end: str) -> Lines:
    both, signed = tool.option(BOTH_DAYS), tool.option(SIGNED)
    days = f"(date.fromisoformat({end}) - date.fromisoformat({start})).days"
    if both is None and signed is None:
        return [f"number = abs({days})"]
    lines = [f"days = {days}", "number = abs(days)"]
    if both is not None:
        lines += [f"if {both.name}:", "    number = number + 1"]
    if signed is not None:
        lines += [f"if {signed.name} and days < 0:", "    number = -number"]
    return lines
