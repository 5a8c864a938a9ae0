"""Debian packages for the rack and the tests, installed so that the machine stays as quiet as it was.

Run by make with the system's own Python, before a virtual environment exists: `python3 -m aoeha.rack.machines.install`.
No service is started by the installation, and aoetools' habit of loading the aoe driver at boot, on every interface,
is masked first (that driver plus udev assembles other people's arrays).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from aoeha.rack.machines.host import DEBIAN_PACKAGES

BASE_PACKAGES = ("python3-venv", "iputils-arping")
DEVICE_PACKAGES = (
    "openipmi", "ipmitool", "snmpd", "snmp", "mosquitto", "openssl", "pacemaker", "pacemaker-cli-utils",
    "cluster-glue", "telnet",
)  # fmt: skip
"""A BMC, a power strip, a broker and a cluster manager that tests can ask, and what asks them and our emulators."""
ENABLED_BY_THEMSELVES = ("corosync", "mosquitto", "openipmi", "pacemaker", "snmpd")
"""Services that these packages would have started at the next boot; tests start their own."""
POLICY = Path("/usr/sbin/policy-rc.d")
MASK = Path("/etc/modules-load.d/aoetools.conf")
ADDED = Path("/var/lib/aoeha-rack/installed-packages")
APT_DEADLINE_S = 900


def wanted() -> tuple[str, ...]:
    """Every package that demo and tests need on this machine."""
    return (*BASE_PACKAGES, *DEVICE_PACKAGES, *DEBIAN_PACKAGES)


def missing() -> list[str]:
    """Those of them that are not installed, read from dpkg's own records."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *wanted()]
    said = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60).stdout
    present = {line.split()[0] for line in said.splitlines() if line.endswith(" installed")}
    return [package for package in wanted() if package not in present]


def install(packages: list[str]) -> int:
    """Install without starting services; remember what was added."""
    print(f"aoeha: installing Debian packages: {' '.join(packages)}", flush=True)
    MASK.parent.mkdir(parents=True, exist_ok=True)
    if not MASK.exists():
        MASK.write_text(
            "# Empty on purpose: aoeha loads the aoe driver itself, restricted to the storage interfaces.\n"
        )
    own_policy = not POLICY.exists()
    if own_policy:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    unwanted = [service for service in ENABLED_BY_THEMSELVES if not Path("/etc/init.d", service).exists()]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (
            ["apt-get", "update", "--quiet=2"],
            ["apt-get", "install", "--yes", "--quiet=1", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(command, env=environment, check=False, timeout=APT_DEADLINE_S)
            if done.returncode and command[1] == "install":
                print(f"aoeha: cannot install: {' '.join(command)} ended with {done.returncode}", file=sys.stderr)
                return 1
    finally:
        if own_policy:
            POLICY.unlink(missing_ok=True)
    if unwanted and shutil.which("systemctl"):
        disable = ["systemctl", "disable", "--quiet", *unwanted]
        subprocess.run(disable, check=False, timeout=60, capture_output=True)
    ADDED.parent.mkdir(parents=True, exist_ok=True)
    known = ADDED.read_text().split() if ADDED.exists() else []
    ADDED.write_text("\n".join(sorted({*known, *packages})) + "\n")
    return 0


def name_what_to_remove() -> None:
    """Tell, without doing it, how to take the packages off again."""
    added = ADDED.read_text().split() if ADDED.exists() else []
    if not added:
        print("aoeha: make installed no Debian package on this machine; nothing to remove")
        return
    print("aoeha: make installed these packages. To remove them and the mask:")
    print(f"    apt-get purge {' '.join(added)} && apt-get autoremove --purge")
    print(f"    rm {MASK} {ADDED}")


def main() -> int:
    """List, install what is missing, or name what to remove."""
    if sys.argv[1:] == ["--name-what-to-remove"]:
        name_what_to_remove()
        return 0
    if not shutil.which("apt-get"):
        print("aoeha: this is not Debian; install by hand what provides: " + " ".join(wanted()), file=sys.stderr)
        return 0
    packages = missing()
    if not packages:
        return 0
    if os.geteuid() != 0:
        print(f"aoeha: NOT ROOT, so these packages are not installed: {' '.join(packages)}", file=sys.stderr)
        return 0
    return install(packages)


if __name__ == "__main__":
    sys.exit(main())
