"""Fence devices that would fail when they are needed, as far as aoeha.toml shows."""

from collections.abc import Iterator

from aoeha.config.fence_devices import parameters_for
from aoeha.config.findings import KeyFinding
from aoeha.config.schema import Configuration, Fence, UdpLink

__all__ = ["cycling_devices", "mortal_devices", "one_switch"]

IN_THE_GATEWAY = ("ipmi", "fence_ilo", "fence_drac", "fence_idrac", "fence_redfish", "fence_cimc", "fence_imm")
"""Agents of management controllers (fence_ipmilan, ipmi, ...), which are fed by their gateway's mains."""


def mortal_devices(configuration: Configuration) -> Iterator[KeyFinding]:
    """A device that its victim feeds fails together with the victim's mains, and then there is no proof."""
    shelves = configuration.fence_policy == "storage" and all(group.legs for group in configuration.groups)
    levels = {fence.level for fence in configuration.fences}
    mortal = {fence.level for fence in configuration.fences if _dies_with_its_victim(fence)}
    if shelves or not levels or mortal != levels:
        return
    for number, fence in enumerate(configuration.fences):
        if _dies_with_its_victim(fence):
            key = "powered_by" if fence.powered_by else "type"
            yield KeyFinding(
                ("fence", number, key),
                f'"{fence.name}" is fed by the gateway that it switches off: when that gateway loses its '
                "mains, the device cannot answer, and there is no takeover. Add a device with power of its own as "
                'another level, or write powered_by = "own" if this one has its own power',
                warning=True,
            )


def one_switch(configuration: Configuration) -> Iterator[KeyFinding]:
    """No single switch should carry all beats, and none may carry all beats and all fence devices."""
    switches = [link.switch if isinstance(link, UdpLink) else "" for link in configuration.links]
    shared = switches[0] if switches and len(set(switches)) == 1 else ""
    if not shared:
        return
    if len(switches) > 1:
        yield KeyFinding(
            ("link", 0, "switch"),
            f'all links pass "{shared}": when it fails, the gateways exchange no beats; add a serial line, or '
            "a cable without a switch",
            warning=True,
        )
    if configuration.fences and all(fence.switch == shared for fence in configuration.fences):
        yield KeyFinding(
            ("fence", 0, "switch"),
            f'all links and every fence device pass "{shared}": when it fails, the gateways exchange no beats '
            "and can fence nothing; connect one link or device another way",
            warning=True,
        )


def cycling_devices(configuration: Configuration) -> Iterator[KeyFinding]:
    """A device that reboots instead of switching off answers before the power is gone, and never reports off."""
    for number, fence in enumerate(configuration.fences):
        methods = {str(parameters_for(fence, node).get("method", "")).lower() for node in fence.plug}
        if "cycle" in methods:
            yield KeyFinding(
                ("fence", number, "parameters", "method"),
                'expected "onoff", got "cycle": the plug then never reports off, and two gateways mounted one disk '
                "because such a device answered too early; remove the key",
            )


def _dies_with_its_victim(fence: Fence) -> bool:
    if fence.powered_by:
        return fence.powered_by == "victim"
    kind = fence.type.rpartition(":")[2]
    return any(kind.startswith((word, f"fence_{word}")) for word in IN_THE_GATEWAY)
