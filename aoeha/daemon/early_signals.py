"""Signals that come while the daemon starts: a hang-up is harmless, and an order to leave waits until it can be heeded.

By default each of them ends the process at once, without a hand-over. From the first instruction to the handlers that
is half a second in which what an earlier daemon started would be left to nobody.
"""

import signal

__all__ = ["defer", "deliver"]

LEAVING = (signal.SIGTERM, signal.SIGINT)


def defer() -> None:
    """Ignore hang-ups, and keep orders to leave for later. May be called again. Children must not inherit this."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, LEAVING)


def deliver() -> None:
    """Let orders to leave through, now that handlers wait for them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, LEAVING)
