"""The screens of `aoeha status`, rendered from simulated pairs: `make goldens` writes them; read what changed.

Each story ends in the moment that is shown. The document beside a screen is what `aoeha status -o json` prints there.
"""

import json
from pathlib import Path
from typing import Any

from aoeha.cli.status_text import render_status
from aoeha.daemon.status import status_document
from aoeha.sim.stories.scenario import Performance, parse

__all__ = ["SCREENS", "document", "rendered", "screen"]

HERE = Path(__file__).parent / "screens"
SERVING = """
    boot alpha beta
    wait 60s
    never both serve storage
    expect served storage by alpha
"""
BY_SHELVES, BY_POWER = "pair resources=3 reserve=1", "pair resources=3 devices=switch:1,bmc:2"
SCREENS = {
    "healthy": ("alpha", BY_SHELVES, ""),
    "degraded-mirror": ("alpha", BY_SHELVES, "shelf shelf1 silent\nwait 30s\nexpect mirror degraded"),
    "failing-over": ("beta", BY_POWER, "device switch slow\nfreeze alpha\nwait 4s\nexpect served storage by nobody"),
    "nobody-serves": (
        "beta",
        BY_POWER,
        "device switch dead\ndevice bmc dead\npower off alpha\nwait 3m\nexpect served storage by nobody",
    ),
    "not-protected": ("alpha", BY_POWER, "device switch dead\ndevice bmc dead\nwait 10m"),
    "one-link-down": ("alpha", BY_SHELVES, "cut serial1\nwait 3m"),
    "paused": ("alpha", BY_SHELVES, "ask alpha: pause\nwait 5s"),
    "standby": ("beta", BY_SHELVES, "ask beta: standby\nwait 5s"),
}
"""Which gateway shows it, the pair, and what happens once alpha serves."""


def rendered(name: str) -> dict[str, Any]:
    """Play the story and return the document of its last moment."""
    node, pair, story = SCREENS[name]
    performance = Performance(parse(name, f"{pair}\n{SERVING}\n{story}"))
    performance.play()
    assert not [line for line in performance.trace() if " BROKEN " in line], name
    daemon = performance.world.machines[node].daemon
    assert daemon is not None
    assert daemon.state is not None
    shown: dict[str, Any] = json.loads(json.dumps(status_document(daemon.state, {}, (), "")))
    return shown


def document(name: str) -> dict[str, Any]:
    """Return a recorded document."""
    recorded: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return recorded


def screen(name: str) -> str:
    """Return a recorded screen."""
    return (HERE / f"{name}.txt").read_text()


def main() -> None:
    """Write every document and screen."""
    for old in HERE.glob("*"):
        old.unlink()
    for name in SCREENS:
        shown = rendered(name)
        (HERE / f"{name}.json").write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
        (HERE / f"{name}.txt").write_text(render_status(shown))


if __name__ == "__main__":
    main()
