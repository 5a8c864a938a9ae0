"""The command `aoeha`: one parser, and only the chosen verb's module is imported."""

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (aoeha.cli.exits).

    A restarted daemon is silent until its first beat leaves, so for `aoeha daemon` that comes before everything else.
    """
    words = sys.argv[1:] if argv is None else argv
    incarnation = None
    if words[:1] == ["daemon"] and not {"-h", "--help"}.intersection(words):
        from aoeha.daemon.first_beat import send_first_beat  # noqa: PLC0415  before argparse is imported

        incarnation = send_first_beat()
    from aoeha.cli.verbs import run_verb  # noqa: PLC0415  after the first beat

    return run_verb(words, incarnation)


if __name__ == "__main__":
    sys.exit(main())
