"""The command `aoeha`. It imports only what the chosen verb needs."""

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (aoeha.core.model.exits).

    A restarted daemon is silent until its first beat, and its peer measures the silence, so `aoeha daemon` is
    dispatched first. The daemon sends the first beat once it holds the lock that excludes a second daemon: a beat of
    a new incarnation would make the peer refuse the beats of a daemon that still runs.
    """
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["daemon"]:
        from aoeha.daemon import early_signals  # noqa: PLC0415  the client verbs must not pay for the daemon

        early_signals.defer()
        from aoeha.cli.daemon import run_daemon  # noqa: PLC0415

        return run_daemon(words[1:])
    from aoeha.cli.verbs import run_verb  # noqa: PLC0415  the daemon must not pay for the client verbs

    return run_verb(words)


if __name__ == "__main__":
    sys.exit(main())
