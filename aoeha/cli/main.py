"""The command `aoeha`: only what the chosen verb needs is imported."""

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (aoeha.core.model.exits).

    A restarted daemon is silent until its first beat, and the peer counts: `aoeha daemon` goes there straight. The
    first beat itself is sent by the daemon, once it holds the lock that keeps a second one out: a beat of a new
    incarnation while another daemon runs would make the peer refuse that one's beats.
    """
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["daemon"]:
        from aoeha.cli.daemon import run_daemon  # noqa: PLC0415  the client verbs must not pay for the daemon

        return run_daemon(words[1:])
    from aoeha.cli.verbs import run_verb  # noqa: PLC0415  the daemon must not pay for the client verbs

    return run_verb(words)


if __name__ == "__main__":
    sys.exit(main())
