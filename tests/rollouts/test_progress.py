"""What is counted, and how it is shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from ftrl.rollouts import Trajectory
from ftrl.rollouts.progress import Display, Tally
from ftrl.rollouts.pulse import Pulse

Play = Callable[..., Trajectory]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_means_and_errors_are_those_of_the_episodes(play: Play, scripts: Any) -> None:
    tally = Tally(total=4, before=1)
    tally.add(play())
    tally.add(play([scripts.say(("no_such_tool", {})), "I give up."]))
    assert (tally.episodes, tally.turns, tally.calls) == (2, 5, 3)
    assert tally.mean(tally.f1) == 0.5
    assert tally.errors == {"tool_error": 1}
    assert tally.statuses == {"answered": 2}


def test_the_time_left_follows_from_the_rate_so_far(play: Play) -> None:
    tally = Tally(total=10, before=4)
    assert tally.left is None
    tally.seconds = 20
    tally.add(play())
    tally.add(play())
    assert tally.left == 40


def test_time_without_a_ready_engine_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.0, 103.0, 107.0])
    monkeypatch.setattr("ftrl.rollouts.progress.time.monotonic", lambda: next(clock))
    tally = Tally(total=10, before=0)
    for engines in (0, 1, 0, 0):
        tally.notice(engines=engines, in_flight=0)
    assert tally.seconds == 2.0


def test_how_busy_engines_are_and_what_they_had_read_before_is_shown_where_they_tell() -> None:
    tally = Tally(total=10, before=0)
    tally.notice(engines=2, in_flight=40, places=64, pulse=Pulse(generating=30) + Pulse(2, 1000, 250))
    cells = dict(tally.cells())
    assert (cells["engines busy"], cells["prefix cache"]) == ("50%", "25%")
    tally.notice(engines=1, in_flight=40)  # a provider
    assert not {"engines busy", "prefix cache"} & set(dict(tally.cells()))


def test_a_pipe_gets_a_plain_line_only_now_and_then(play: Play) -> None:
    stream = io.StringIO()
    tally = Tally(total=3, before=1)
    with Display(tally, stream=stream) as display:
        for _ in range(2):
            tally.add(play())
            display.refresh()
    first, last = stream.getvalue().splitlines()
    assert "episodes 1/3" in first
    assert "engines are starting" in first
    assert "episodes 3/3" in last
    assert "F1 1.000" in last


def test_a_pipe_is_told_at_once_that_engines_came_or_went() -> None:
    stream = io.StringIO()
    tally = Tally(total=3, before=0)
    with Display(tally, stream=stream) as display:
        for engines in (1, 1, 0):
            tally.notice(engines=engines, in_flight=2)
            display.refresh()
        lines = stream.getvalue().splitlines()
    assert [line.partition("in flight ")[2].partition(" |")[0] for line in lines] == [
        "engines are starting",
        "2 on 1 engines",
        "engines are starting",
    ]


def test_a_terminal_gets_a_live_table() -> None:
    stream = Terminal()
    with Display(Tally(total=3, before=0), stream=stream) as display:
        display.refresh()
    assert "0/3" in stream.getvalue()


def test_silence_is_silent() -> None:
    stream = io.StringIO()
    with Display(Tally(total=3, before=0), stream=stream, silent=True) as display:
        display.refresh()
    assert stream.getvalue() == ""
