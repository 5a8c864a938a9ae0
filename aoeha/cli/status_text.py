"""The status document as one screen of text: aligned columns, 80 wide, why always last. A pure function."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aoeha.cli.screen import subject_of

__all__ = ["ago", "render_status"]

WIDTH = 80

_CODES = {"bad": "\x1b[1;31m", "care": "\x1b[33m", "good": "\x1b[32m", "head": "\x1b[1m"}
_GOOD = frozenset({"online", "up", "running", "reachable"})
_CARE = frozenset(
    {"late", "left", "restarting", "unheard", "booting", "degraded", "starting", "stopping", "unknown", "nobody"}
)
_BAD = frozenset(
    {
        "silent",
        "none answers",
        "a stranger",
        "heard by the shelves only",
        "down",
        "failed",
        "blocked",
        "UNREACHABLE",
        "DISTRUSTED",
        "DISOBEYS",
    }
)
_PRESENT = frozenset({"online", "late"})
_HARMLESS_COUNTERS = frozenset({"accepted", "sent", "received"})

Paint = Callable[[str, str], str]
Row = Sequence[str]


def render_status(document: dict[str, Any], *, colour: bool = False) -> str:
    """Return the text for a status document of schema 2 (missing keys are shown as unknown), ending in a newline."""
    paint = _painted if colour else _plain
    blocks = [
        list(_heading(document, paint)),
        list(_nodes(document, paint)),
        list(_links(document, paint)),
        list(_fences(document, paint)),
        *(list(_group(group, paint)) for group in document.get("groups", ())),
        list(_warnings(document, paint)),
        list(_last_words(document)),
    ]
    return "\n".join("\n".join(block) + "\n" for block in blocks if block)


def _heading(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    matches = document.get("config_matches")
    if matches is None:
        word = "config:peer's unknown"
    else:
        word = "config:match" if matches else paint("bad", "config:DIFFERS FROM THE PEER'S")
    for group in _unserved(document):
        yield paint("bad", f"NOBODY SERVES {group.get('name', '?')}")
        if group.get("refusal"):
            yield from _wrapped("  ", _sentence(group["refusal"]))
        yield ""
    yield f"cluster {document.get('cluster', '?')}  seen from {document.get('node', '?')}  {word}"


def _unserved(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [group for group in document.get("groups", ()) if group.get("served") is False]


def _nodes(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    rows = []
    for node in document.get("nodes", ()):
        own = bool(node.get("self"))
        owned = [
            group.get("name", "?")
            for group in document.get("groups", ())
            if group.get("owner") == node.get("name") and group.get("served") is not False
        ]
        rows.append(
            (
                f"{node.get('name', '?')}{'*' if own else ''}",
                str(node.get("state", "unknown")),
                _mode(node),
                "this node" if own else ago(node.get("heard_ms_ago")),
                " ".join(owned) or "-",
            )
        )
    return _table(("NODE", "STATE", "MODE", "HEARD", "SERVES"), rows, paint)


def _mode(node: dict[str, Any]) -> str:
    """Of a node that is not there nobody knows what it would do."""
    if str(node.get("state", "unknown")) not in _PRESENT:
        return "-"
    return "standby" if node.get("standby") else "ready"


def _links(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    counters = document.get("counters") or {}
    rows = [
        (
            str(link.get("name", "?")),
            str(link.get("state", "unknown")),
            ago(link.get("heard_ms_ago")),
            ago(link.get("peer_hears_ms_ago")),
        )
        for link in document.get("links", ())
    ]
    yield from _table(("LINK", "STATE", "HEARD", "PEER HEARD"), rows, paint)
    for link in document.get("links", ()):
        if link.get("fault"):
            yield from _wrapped(f"  {link.get('name', '?')}: ", str(link["fault"]))
        if dropped := _dropped(counters.get(link.get("name"))):
            yield from _wrapped(f"  {link.get('name', '?')}: ", f"beats dropped: {dropped}")


def _dropped(counts: object) -> str:
    """Return what was refused on a link, by reason: a wrong key on the peer shows here."""
    if not isinstance(counts, dict):
        return ""
    return " ".join(
        f"{reason}:{count}" for reason, count in counts.items() if count and reason not in _HARMLESS_COUNTERS
    )


def _fences(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    fences = document.get("fences", ())
    rows = [
        (
            str(fence.get("name", "?")),
            str(fence.get("state", "unknown")),
            str(fence.get("level", "?")),
            ago(fence.get("checked_ms_ago")),
        )
        for fence in fences
    ]
    yield from _table(("FENCE", "STATE", "LEVEL", "CHECKED"), rows, paint)
    for fence in fences:
        if fence.get("detail"):
            yield from _wrapped(f"  {fence.get('name', '?')}: ", str(fence["detail"]))
    if document.get("watchdog"):
        yield from _wrapped(f"{paint('head', 'WATCHDOG')}  ", str(document["watchdog"]))
    if document.get("reference_hosts"):
        yield f"{paint('head', 'REFERENCE HOSTS')}  {_toned(paint, str(document['reference_hosts']))}"


def _group(group: dict[str, Any], paint: Paint) -> Iterator[str]:
    owner = str(group.get("owner", "unknown"))
    phase = str(group.get("phase", "unknown"))
    proof = f"  proof:{group['proof']}" if group.get("proof") else ""
    yield (
        f"{paint('head', 'GROUP')} {group.get('name', '?')}  {_toned(paint, phase)}  owner:{_toned(paint, owner)}  "
        f"epoch:{group.get('epoch', '?')}{proof}"
    )
    resources = group.get("resources", ())
    wide = max((len(str(resource.get("name", "?"))) for resource in resources), default=0)
    for resource in resources:
        status = str(resource.get("status", "unknown"))
        start = f"  {resource.get('name', '?')!s:{wide}}  "
        if resource.get("reason"):
            lines = list(_wrapped(f"{start}{status:8}  ", str(resource["reason"])))
            yield start + lines[0][len(start) :].replace(status, _toned(paint, status), 1)
            yield from lines[1:]
        else:
            yield start + _toned(paint, status)
    yield from _legs(group, paint)
    if group.get("refusal") and group.get("served") is not False:
        yield from _wrapped("  not started here: ", _sentence(group["refusal"]))


def _legs(group: dict[str, Any], paint: Paint) -> Iterator[str]:
    """Show whose each leg is; the one line that tells before a takeover whether it could be by the shelves."""
    rows = []
    for leg in group.get("legs", ()):
        stamped = leg.get("stamped_ms_ago")
        rows.append(
            (
                f"  {leg.get('leg', '?')}",
                str(leg.get("address", "?")),
                str(leg.get("holder", "unknown")),
                str(leg.get("data", "not known")),
                ago(leg.get("since_ms_ago")),
                "-" if stamped is None else ago(stamped),
            )
        )
    yield from _table(("  LEG", "ADDRESS", "RESERVED FOR", "DATA", "SINCE", "PEER'S STAMP"), rows, paint)


def _warnings(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    if document.get("protected") is False:
        reason = document.get("unprotected") or "a dead gateway could not be proven dead"
        lines = _wrapped("NOT PROTECTED  ", str(reason))
        yield from (paint("bad", line) for line in lines)
    for alarm in document.get("alarms", ()):
        if alarm.get("code") == "pair.not-protected" and document.get("protected") is False:
            continue
        lines = _wrapped("ALARM  ", f"{subject_of(alarm)}: {alarm.get('sentence', '')}")
        yield from (paint("bad", line) for line in lines)


def _last_words(document: dict[str, Any]) -> Iterator[str]:
    if document.get("verdict"):
        yield from _wrapped("verdict ", str(document["verdict"]))
    if document.get("why"):
        told = document["why"] in [group.get("refusal") for group in _unserved(document)]
        yield from _wrapped("why     ", "see the top" if told else _sentence(document["why"]))


def _sentence(condition: Any) -> str:
    return str(condition.get("sentence", "")) if isinstance(condition, dict) else str(condition)


def _table(head: Row, rows: Sequence[Row], paint: Paint) -> Iterator[str]:
    if not rows:
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    yield _line(head, widths, lambda cell: paint("head", cell))
    for row in rows:
        yield _line(row, widths, lambda cell: _toned(paint, cell))


def _line(row: Row, widths: Sequence[int], tone: Callable[[str], str]) -> str:
    last = len(row) - 1
    padding = [" " * (width - len(cell) + 2) for cell, width in zip(row, widths, strict=True)]
    return "".join(tone(cell) + ("" if column == last else padding[column]) for column, cell in enumerate(row))


def _wrapped(start: str, sentence: str) -> Iterator[str]:
    """Break at blanks so that no line is wider than the screen; the rest hangs below the sentence's beginning."""
    line, is_fresh = start, True
    for word in sentence.split():
        if not is_fresh and len(line) + 1 + len(word) > WIDTH:
            yield line
            line, is_fresh = " " * len(start), True
        line += word if is_fresh else f" {word}"
        is_fresh = False
    yield line.rstrip()


def ago(age_ms: object) -> str:
    """Return an age as people say it, "never" for none."""
    if not isinstance(age_ms, int):
        return "never"
    if age_ms < 60_000:
        return f"{age_ms / 1_000:.1f}s ago"
    minutes = age_ms // 60_000
    if minutes < 60:
        return f"{minutes}m ago"
    return f"{minutes // 60}h{minutes % 60:02}m ago" if minutes < 1_440 else f"{minutes // 1_440}d ago"


def _toned(paint: Paint, word: str) -> str:
    if word in _BAD:
        return paint("bad", word)
    if word in _CARE:
        return paint("care", word)
    return paint("good", word) if word in _GOOD else word


def _painted(tone: str, text: str) -> str:
    return f"{_CODES[tone]}{text}\x1b[0m"


def _plain(_tone: str, text: str) -> str:
    return text
