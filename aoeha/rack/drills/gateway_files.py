"""What lies in /etc/aoeha of both gateways: the user's own aoeha.toml, with a drill's timings, and a key."""

import re
import secrets
from pathlib import Path

from aoeha.rack.drills.scenario import Scenario
from aoeha.rack.machines.host import RackError
from aoeha.rack.machines.network import LAN_ADDRESS

__all__ = [
    "configured_timing",
    "gateway_files",
    "with_durable_legs",
    "with_second_path",
    "with_timings",
    "with_watchdog",
]

SOFTDOG = "/dev/watchdog1"
"""The first one is user-mode-linux's own, which asks a program of the host."""


def with_timings(text: str, timings: dict[str, str]) -> str:
    """Return the configuration with values replaced: those of [timing], and others that stand on lines of their own."""
    for key, value in timings.items():
        text, count = re.subn(
            rf'(?m)^{re.escape(key)}(\s*=\s*)("?)\w+\2', rf"{key}\g<1>\g<2>{value}\g<2>", text, count=1
        )
        if not count:
            raise RackError(f"cannot set {key}: the configuration has no line `{key} = ...`; add it below [timing]")
    return text


def with_watchdog(text: str, timeout: str) -> str:
    """Return the configuration with the rack's own watchdog, required, or with none when `timeout` is empty."""
    lines = ['mode = "required"', f'device = "{SOFTDOG}"', f'timeout = "{timeout}"'] if timeout else ['mode = "off"']
    others = re.sub(r"(?ms)^\[watchdog\].*?(?=^\[|\Z)", "", text)
    return "\n".join([others.rstrip(), "", "[watchdog]", *lines, ""])


def with_durable_legs(text: str) -> str:
    """Return the configuration with every leg declared durable."""
    return re.sub(r"(?m)^\[\[group\.leg\]\]$", "[[group.leg]]\ndurable = true", text)


def with_second_path(text: str) -> str:
    """Return the configuration for gateways and shelves with a second storage interface each (see rack.STORAGE)."""
    text = re.sub(r'(?m)^(storage = \{ eth1 = "02:77:)01(:00:00:\d\d")', r'\g<1>01\g<2>, eth3 = "02:77:03\g<2>', text)
    text = re.sub(r'(?m)^(address = \[)"02:77:01(:00:00:\d\d")', r'\g<1>"02:77:01\g<2>, "02:77:03\g<2>', text)
    return text.replace('interfaces = ["eth1"]', 'interfaces = ["eth1", "eth3"]')


def configured_timing(text: str, key: str) -> str:
    """Return a timing as the configuration writes it."""
    found = re.search(rf'(?m)^{re.escape(key)}\s*=\s*"([^"]*)"', text)
    if found is None:
        raise RackError(f"cannot read the configuration: it has no line `{key} = ...`; add it below [timing]")
    return found[1]


def gateway_files(configuration: Path, scenario: Scenario) -> dict[str, tuple[str, str]]:
    """Return the files, path to (text, octal mode), as a drill wants them."""
    try:
        text = configuration.read_text()
    except OSError as error:
        raise RackError(f"cannot read {configuration}: {error.strerror}") from error
    text = with_durable_legs(text) if scenario.durable else text
    text = with_second_path(text) if scenario.dual_homed else text
    text = f'reference_hosts = ["{LAN_ADDRESS}"]\n{text}' if scenario.reference_host else text
    groups = Path("/etc/group").read_text()
    return {
        "/etc/group": (groups if "\naoeha:" in groups else f"{groups}aoeha:x:694:\n", "644"),
        "/etc/aoeha/aoeha.toml": (with_watchdog(with_timings(text, scenario.timings), scenario.watchdog), "644"),
        "/etc/aoeha/keys": (f"1 {secrets.token_hex(32)}\n", "600"),
    }
