"""The text of `aoeha replay`."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aoeha.cli.screen import print_error, wants_colour
from aoeha.cli.status_text import render_status
from aoeha.core.model.actions import Answer, Say
from aoeha.core.model.conditions import Level
from aoeha.core.model.exits import Exit
from aoeha.core.model.text import shown
from aoeha.core.status import status
from aoeha.journal.codec import to_plain
from aoeha.sim.replay import Difference, JournalError, Moment, parts_of, replay

__all__ = ["report"]

MARKS = {Level.INFO: "", Level.WARNING: "warning  ", Level.ALARM: "ALARM  "}


def report(place: str, *, until: str, why: bool) -> Exit:
    """Print what the journal's daemon said and answered, with the time, and whether the core says the same today."""
    is_past = _end(until)
    if is_past is None:
        print_error(f'cannot stop at "{until}": it is no line (120), no seconds (4.5s) and no time of day (14:03:22)')
        return Exit.USAGE
    last: Moment | None = None
    steps, reworded, first_rewording = 0, 0, ""
    code = Exit.DONE
    try:
        for moment in replay(parts_of(Path(place))):
            if is_past(moment):
                break
            last, steps = moment, steps + (moment.event is not None)
            reworded, first_rewording = reworded + bool(moment.rewording), first_rewording or moment.rewording
            _print_moment(moment)
    except Difference as difference:
        print_error(f"not the same: {difference}")
        code = Exit.FAILED
    except JournalError as error:
        print_error(str(error))
        return Exit.CANNOT_DETERMINE
    if why and last is not None:
        print(f"\nat line {last.number}, {_clock(last.wall_ms)}:\n")
        print(render_status(to_plain(status(last.state)), colour=wants_colour(sys.stdout)), end="")
    if reworded:
        print_error(f"{reworded} lines say it in other words today; the first: {first_rewording}")
    if code is Exit.DONE:
        print(f"{steps} steps, every action the same" + (" but for its words" if reworded else ""))
    return Exit.FAILED if reworded else code


def _print_moment(moment: Moment) -> None:
    if moment.event is None:
        print(f"{moment.path.name}: {shown(moment.note)}")
    elif moment.note:
        _print_line(moment, moment.note)
    for action in moment.actions:
        match action:
            case Say(level=level, condition=told):
                _print_line(moment, f"{MARKS[level]}{told.subject}: {told.sentence}")
            case Answer():
                _print_line(moment, f"answer {action.code.value}: {action.sentence}")
            case _:
                pass


def _print_line(moment: Moment, words: str) -> None:
    print(f"{moment.number:>7}  {_clock(moment.wall_ms)} {moment.since_ms / 1_000:>9.3f}s  {shown(words)}")


def _end(until: str) -> Callable[[Moment], bool] | None:
    """Return whether a moment lies past the end that was asked for, None if the words make no sense."""
    if not until:
        return lambda _: False
    if until.isdecimal():
        line = int(until)
        return lambda moment: moment.number > line
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)s", until):
        since_ms = round(float(match[1]) * 1_000)
        return lambda moment: moment.since_ms > since_ms
    if match := re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?", until):
        day_ms = (int(match[1]) * 60 + int(match[2])) * 60_000 + round(float(match[3] or 0) * 1_000)
        return lambda moment: _time_of_day_ms(moment.wall_ms) > day_ms
    return None


def _time_of_day_ms(wall_ms: int) -> int:
    local = time.localtime(wall_ms // 1_000)
    return (local.tm_hour * 60 + local.tm_min) * 60_000 + local.tm_sec * 1_000 + wall_ms % 1_000


def _clock(wall_ms: int) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(wall_ms // 1_000))}.{wall_ms % 1_000:03}"
