"""The unit of systemd: what it must say, and what would take the storage away from whom it is for."""

from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "etc" / "systemd" / "aoeha.service"

MOUNT_NAMESPACE = {
    "BindPaths", "BindReadOnlyPaths", "ExecPaths", "InaccessiblePaths", "MountAPIVFS", "MountFlags", "MountImages",
    "NoExecPaths", "PrivateDevices", "PrivateMounts", "PrivateTmp", "ProtectControlGroups", "ProtectHome",
    "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc",
    "ProtectSystem", "ReadOnlyPaths", "ReadWritePaths", "RootDirectory", "RootImage", "TemporaryFileSystem",
}  # fmt: skip
"""Of systemd.exec(5): each mounts something for the unit alone, so that the kernel's NFS server sees no volume."""
DEVICE_LIST = {"DeviceAllow", "DevicePolicy", "PrivateDevices", "ProtectClock"}
"""Of systemd.exec(5) and systemd.resource-control(5): each leaves the unit only the devices that it names."""
INHERITED = {"LimitMEMLOCK", "RestrictSUIDSGID", "UMask", "ProtectClock", "RestrictRealtime", "MemoryDenyWriteExecute"}
"""What the programs of resources would have too, file servers among them."""


def settings() -> dict[str, str]:
    lines = UNIT.read_text().splitlines()
    pairs = (line.partition("=")[::2] for line in lines if "=" in line and not line.startswith("#"))
    return dict(pairs)


def test_what_resources_mount_is_seen_by_all() -> None:
    assert not MOUNT_NAMESPACE & settings().keys()


def test_no_device_is_kept_from_resources() -> None:
    assert not DEVICE_LIST & settings().keys()


def test_what_is_meant_for_the_daemon_is_not_inherited_by_what_it_starts() -> None:
    said = settings()
    assert not INHERITED & said.keys()
    assert said["TasksMax"] == "infinity"
    assert said["KillMode"] == "process"


def test_the_daemon_is_bounded_where_that_costs_nothing() -> None:
    said = settings()
    assert said["LimitCORE"] == "0", "keys lie in its memory"
    assert said["NoNewPrivileges"] == "no", "agents may use what changes its user"
    assert "AF_PACKET" in said["RestrictAddressFamilies"].split()
    assert said["TimeoutStartFailureMode"] == "kill", "an order to leave waits until the daemon can heed it"
