"""Running a program on behalf of an agent, with its failure as a sentence."""

from aoeha.agents.interface import AgentError, LateError
from aoeha.agents.time_left import time_left_ms
from aoeha.io.host import Completed, Host

__all__ = ["must_run", "said", "try_run"]

OUTPUT_SHOWN_CHARACTERS = 300


async def must_run(host: Host, *argv: str, to: str, deadline_ms: int | None = None, stdin: str = "") -> Completed:
    """Run a program that has to succeed. Raises AgentError "cannot `to`: what it said".

    Without a deadline it has what is left of the operation's time.
    """
    completed = await try_run(host, *argv, deadline_ms=deadline_ms, to=to, stdin=stdin)
    if completed.returncode != 0:
        raise AgentError(f"cannot {to}: {said(completed)}")
    return completed


async def try_run(
    host: Host,
    *argv: str,
    to: str,
    deadline_ms: int | None = None,
    stdin: str = "",
    environment: dict[str, str] | None = None,
) -> Completed:
    """Run a program whose failure the caller judges. AgentError only when it could not run, LateError when it hung.

    Without a deadline it has what is left of the operation's time.
    """
    left_ms = time_left_ms() if deadline_ms is None else deadline_ms
    try:
        return await host.run(*argv, deadline_ms=left_ms, stdin=stdin, environment=environment)
    except FileNotFoundError:
        raise AgentError(f"cannot {to}: there is no program {argv[0]}; install the package that has it") from None
    except TimeoutError as error:
        raise LateError(f"cannot {to}: {error}") from None
    except OSError as error:
        raise AgentError(f"cannot {to}: {error}") from None


def said(completed: Completed) -> str:
    """What a failed program said, as one line: its errors, else its output, else how it ended."""
    text = " ".join((completed.stderr.strip() or completed.stdout.strip()).split())
    if not text:
        code = completed.returncode
        ending = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"{completed.argv[0]} {ending} and said nothing"
    return text if len(text) <= OUTPUT_SHOWN_CHARACTERS else f"{text[:OUTPUT_SHOWN_CHARACTERS]}..."
