"""How much one file may name. `tests/unit/test_config_greatest.py` starts a core and packs a beat of the greatest one.

A step of the core has a bound (ACTIONS_MAX), and so has a beat on the serial line. A file beyond them would end the
daemon at every start, or leave the serial line without a beat.
"""

from collections.abc import Iterator

from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.schema import Configuration

__all__ = ["FENCES_MAX", "GROUPS_MAX", "LINKS_MAX", "PORTS_MAX", "RESOURCES_MAX", "limits"]

LINKS_MAX = 8
FENCES_MAX = 8
GROUPS_MAX = 8
RESOURCES_MAX = 48
"""Of all groups together."""
PORTS_MAX = 8
"""Hardware addresses of one gateway, and of one leg."""


def limits(configuration: Configuration) -> Iterator[KeyFinding]:
    """Yield a finding for each kind of table of which there are too many."""
    resources = sum(len(group.resources) for group in configuration.groups)
    counts: list[tuple[KeyPath, str, int, int]] = [
        (("link",), "[[link]] tables", len(configuration.links), LINKS_MAX),
        (("fence",), "[[fence]] tables", len(configuration.fences), FENCES_MAX),
        (("group",), "[[group]] tables", len(configuration.groups), GROUPS_MAX),
        (("group",), "[[group.resource]] tables in the file", resources, RESOURCES_MAX),
    ]
    for number, node in enumerate(configuration.nodes):
        counts.append((("node", number, "storage"), "interfaces", len(node.storage), PORTS_MAX))
    for number, group in enumerate(configuration.groups):
        for inner, leg in enumerate(group.legs):
            counts.append((("group", number, "leg", inner, "address"), "addresses", len(leg.address), PORTS_MAX))
    for path, what, count, most in counts:
        if count > most:
            yield KeyFinding(path, f"expected at most {most} {what}, got {count}")
