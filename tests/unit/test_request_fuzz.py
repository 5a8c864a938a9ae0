"""Whatever bytes a client sends, they are a request or are refused, in words that can be sent back."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from aoeha.daemon import request_words
from aoeha.io.control_socket import Request, read_request

VERBS = (*request_words.ARGUMENTS, "leave", "", "no such verb", "\x1b[2J", "\ud800")
NAMES = ("node", "group", "number", "follow", "wait_ms", "level", "act", "anyway", "device", "nod", "\x00")
VALUES = ("alpha", "", "0", "-1", "9" * 30, "9" * 6_000, "\u0663", "\udfff", "true")
DEEP = b'{"verb":"status","arguments":' + b"[" * 30_000 + b"]" * 30_000 + b"}"

requests = st.fixed_dictionaries(
    {"verb": st.sampled_from(VERBS)},
    optional={
        "arguments": st.dictionaries(st.sampled_from(NAMES), st.one_of(st.sampled_from(VALUES), st.text(max_size=9))),
        "argument": st.none(),
    },
)


def judged(line: bytes) -> tuple[Request | None, list[str]]:
    """Read a line as the daemon does. Return the request, None where it is refused, and what can be said of it."""
    try:
        request = read_request(line)
    except ValueError as error:
        return None, [str(error)]
    said = [request_words.why_unclear(request), request.verb]
    return request, [*said, *map(request_words.shown, request.arguments.values())]


def is_in_words(outcome: tuple[Request | None, list[str]]) -> bool:
    """Whether a request is taken, or refused with a reason; and a client is told of it, and of its numbers, safely."""
    request, said = outcome
    numbers = [request_words.number(text) for text in request.arguments.values()] if request is not None else []
    is_told = json.loads(msgspec.json.encode(said)) == said
    return is_told and (request is not None or bool(said[0])) and all(each is None or each >= 0 for each in numbers)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(line: bytes) -> None:
    assert is_in_words(judged(line))


@settings(deadline=None)
@given(requests)
def test_any_request_is_taken_or_refused_in_words(asked: dict[str, object]) -> None:
    assert is_in_words(judged(json.dumps(asked).encode()))


@settings(deadline=None)
@given(requests, st.integers(0, 200), st.integers(0, 20), st.binary(max_size=9))
def test_any_change_of_a_request_is_taken_or_refused_in_words(
    asked: dict[str, object], begin: int, length: int, new: bytes
) -> None:
    line = json.dumps(asked).encode()
    assert is_in_words(judged(line[:begin] + new + line[begin + length :]))


def test_what_is_nested_deep_is_refused_in_words() -> None:
    assert judged(DEEP)[0] is None


def test_every_request_of_the_commands_is_taken() -> None:
    for verb, names in request_words.ARGUMENTS.items():
        arguments = dict.fromkeys(names, "1")
        request, _ = judged(json.dumps({"verb": verb, "arguments": arguments}).encode())
        assert request == Request(verb, arguments)
        assert request_words.why_unclear(request) == ""
