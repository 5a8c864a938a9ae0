"""Timers for a pair of daemons that are killed again and again: no load of a machine exceeds them."""

from daemon_pair import Pair

__all__ = ["set_timers"]

SHARES = {"keepalive": 0.1, "warntime": 0.4, "deadtime": 1, "initdead": 2}
"""As shares of the deadtime."""


def set_timers(made: Pair, deadtime_ms: int) -> None:
    """Write them into the pair's aoeha.toml, before its daemons are started."""
    file = made.root / "aoeha.toml"
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines):
        name = line.partition(" = ")[0]
        if name in SHARES:
            lines[number] = f'{name} = "{round(SHARES[name] * deadtime_ms)}ms"'
    file.write_text("\n".join(lines) + "\n")
