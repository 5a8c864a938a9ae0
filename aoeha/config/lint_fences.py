"""Fence devices that would fail on the day they are needed, as far as aoeha.toml tells."""

from collections.abc import Iterator

from aoeha.config.findings import Complaint
from aoeha.config.schema import Configuration, Fence, UdpLink

__all__ = ["cycling_devices", "mortal_devices", "one_switch"]

IN_THE_GATEWAY = ("ipmi", "fence_ilo", "fence_drac", "fence_idrac", "fence_redfish", "fence_cimc", "fence_imm")
"""Agents of management controllers (fence_ipmilan, ipmi, ...): they live on their gateway's mains."""


def mortal_devices(configuration: Configuration) -> Iterator[Complaint]:
    """A device that is fed by its victim is gone when the victim's mains are: then there is no proof."""
    shelves = configuration.fence_policy == "storage" and all(group.legs for group in configuration.groups)
    levels = {fence.level for fence in configuration.fences}
    mortal = {fence.level for fence in configuration.fences if _dies_with_its_victim(fence)}
    if shelves or not levels or mortal != levels:
        return
    for number, fence in enumerate(configuration.fences):
        if _dies_with_its_victim(fence):
            key = "powered_by" if fence.powered_by else "type"
            yield Complaint(
                ("fence", number, key),
                f'"{fence.name}" hangs on the power of the gateway that it switches off: when that gateway loses its '
                "mains the device answers nobody, and nothing is taken over. Add a device with power of its own as "
                'another level, or write powered_by = "own" if this one has it',
                warning=True,
            )


def one_switch(configuration: Configuration) -> Iterator[Complaint]:
    """What carries every beat must not be what carries the fence, too; and no one switch should carry every beat."""
    switches = [link.switch if isinstance(link, UdpLink) else "" for link in configuration.links]
    shared = switches[0] if switches and len(set(switches)) == 1 else ""
    if not shared:
        return
    if len(switches) > 1:
        yield Complaint(
            ("link", 0, "switch"),
            f'all links pass "{shared}": when it fails, the gateways hear nothing of each other; add a serial line, or '
            "a cable without a switch",
            warning=True,
        )
    if configuration.fences and all(fence.switch == shared for fence in configuration.fences):
        yield Complaint(
            ("fence", 0, "switch"),
            f'all links and every fence device pass "{shared}": when it fails, the gateways are deaf and can fence '
            "nobody; let one of them go another way",
            warning=True,
        )


def cycling_devices(configuration: Configuration) -> Iterator[Complaint]:
    """A device that reboots instead of switching off answers before the power is gone, and never reads off."""
    for number, fence in enumerate(configuration.fences):
        if str(fence.parameters.get("method", "")).lower() == "cycle":
            yield Complaint(
                ("fence", number, "parameters", "method"),
                'expected "onoff", got "cycle": the plug never reads off then, and two gateways have mounted one disk '
                "because such a device answered too early; remove the key",
            )


def _dies_with_its_victim(fence: Fence) -> bool:
    if fence.powered_by:
        return fence.powered_by == "victim"
    kind = fence.type.rpartition(":")[2]
    return any(kind.startswith((word, f"fence_{word}")) for word in IN_THE_GATEWAY)
