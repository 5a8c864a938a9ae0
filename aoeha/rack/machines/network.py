"""The rack's own network: switches in a namespace without a name, and a tap for each guest's port."""

import subprocess

from aoeha.rack.machines.host import RackError

__all__ = [
    "DRIVER_ADDRESS",
    "LAN_ADDRESS",
    "SWITCHES",
    "connect",
    "isolate",
    "make_network",
    "run_ip",
    "set_port",
    "split",
    "tap_name",
]

LAN_ADDRESS = "10.77.1.1"
DRIVER_ADDRESS = "10.77.9.1"
SWITCHES = {
    "lan": (f"{LAN_ADDRESS}/24", 1500),
    "san": ("", 9000),
    "san2": ("", 9000),
    "mgt": (f"{DRIVER_ADDRESS}/24", 1500),
}
"""Each switch, the driver's own address on it, its MTU. Drills never cut mgt; who is dual-homed is on san2 too."""


def run_ip(*lines: str) -> None:
    """Run lines of `ip -batch` in the rack's namespace."""
    text = "\n".join(lines)
    done = subprocess.run(["ip", "-batch", "-"], input=text, text=True, capture_output=True, check=False, timeout=20)
    if done.returncode:
        raise RackError(f"cannot set up the rack's network: {done.stderr.strip()} (in: {text!r})")


def make_network() -> None:
    """Put the switches into the network namespace that this process is in."""
    lines = ["link set lo up"]
    for switch, (address, mtu) in SWITCHES.items():
        lines.append(f"link add {switch} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        lines.append(f"link set {switch} mtu {mtu} up")
        if address:
            lines.append(f"addr add {address} brd + dev {switch}")
    run_ip(*lines)


def tap_name(switch: str, guest: str) -> str:
    """The name of a guest's port on a switch."""
    return f"{switch}-{guest}"[:15]


def connect(guest: str, switches: tuple[str, ...]) -> None:
    """Give a guest a port on each of the switches."""
    lines = []
    for switch in switches:
        tap = tap_name(switch, guest)
        lines.append(f"tuntap add {tap} mode tap vnet_hdr")
        lines.append(f"link set {tap} mtu {SWITCHES[switch][1]} master {switch} up")
    run_ip(*lines)


def set_port(switch: str, guest: str, *, up: bool) -> None:
    """Plug a guest's cable into the switch, or pull it out. The guest sees carrier all the same.

    The tap itself stays up: user-mode-linux gives a card up for good when one frame of it is refused (6.1, measured).
    """
    run_ip(f"link set {tap_name(switch, guest)} {f'master {switch}' if up else 'nomaster'}")


def isolate(switch: str, guest: str, *, on: bool) -> None:
    """Keep a guest's port from all other isolated ports, and from no other port."""
    run_ip(f"link set {tap_name(switch, guest)} type bridge_slave isolated {'on' if on else 'off'}")


def split(switch: str, guests: tuple[str, ...], *, apart: bool) -> None:
    """Move these guests' ports to a second switch that nothing joins to the first, or back."""
    other = f"{switch}-apart"
    if apart:
        run_ip(
            f"link add {other} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {other} mtu {SWITCHES[switch][1]} up",
        )
    run_ip(*(f"link set {tap_name(switch, guest)} master {other if apart else switch}" for guest in guests))
    if not apart:
        run_ip(f"link del {other}")
