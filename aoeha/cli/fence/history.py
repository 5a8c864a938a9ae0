"""`aoeha fence history`: every attempt to switch a gateway's power, and its result."""

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from aoeha.cli.control import ControlError, ask
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["show_history"]

HEAD = ("BEGUN", "TOOK", "NODE", "ACTION", "DEVICE", "PLUG", "RESULT")


def show_history(arguments: argparse.Namespace) -> int:
    """Print the newest attempts, oldest first: one line each, then its reason and what the device answered."""
    try:
        reply = ask(arguments.socket, "fence-history", {"number": str(max(arguments.number, 0))})
    except ControlError as error:
        print_error(str(error))
        return error.code
    if reply.exit_code != Exit.DONE or reply.document is None:
        print_error(reply.sentence or "cannot show the history: the daemon sent none")
        return reply.exit_code or Exit.CANNOT_DETERMINE
    if arguments.output == "json":
        print(json.dumps(reply.document, indent=2, ensure_ascii=False))
        return Exit.DONE
    for line in _lines(reply.document.get("attempts") or []):
        print(line)
    return Exit.DONE


def _lines(attempts: list[dict[str, Any]]) -> Iterator[str]:
    if not attempts:
        yield "no gateway's power was ever switched from here"
        return
    rows = [_row(attempt) for attempt in attempts]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    yield _aligned(HEAD, widths)
    for attempt, row in zip(attempts, rows, strict=True):
        yield _aligned(row, widths)
        yield f"    {attempt.get('reason', '')}"
        if attempt.get("detail"):
            yield f"    {attempt['detail']}"


def _row(attempt: dict[str, Any]) -> tuple[str, ...]:
    begun, ended = attempt.get("begun_wall_ms"), attempt.get("ended_wall_ms")
    took = f"{(ended - begun) / 1_000:.1f}s" if isinstance(begun, int) and isinstance(ended, int) else "-"
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(begun // 1_000)) if isinstance(begun, int) else "?"
    return (
        moment,
        took,
        str(attempt.get("node", "?")),
        str(attempt.get("action", "?")),
        str(attempt.get("device") or "-"),
        str(attempt.get("plug") or "-"),
        str(attempt.get("result") or ("under way" if ended is None else "-")),
    )


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
