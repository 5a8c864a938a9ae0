"""The exit codes of OCF resource agents, API 1.1, both ways."""

from enum import IntEnum

from aoeha.core.model.task import ResourceStatus

__all__ = ["OcfCode", "code_of", "status_of"]


class OcfCode(IntEnum):
    """What an action may end with (resource-agent-api.md, OCF 1.1)."""

    SUCCESS = 0
    GENERIC = 1
    BAD_ARGUMENT = 2
    UNIMPLEMENTED = 3
    NO_PRIVILEGE = 4
    NOT_INSTALLED = 5
    NOT_CONFIGURED = 6
    NOT_RUNNING = 7
    RUNNING_PROMOTED = 8
    FAILED_PROMOTED = 9
    DEGRADED = 190
    DEGRADED_PROMOTED = 191


_STATUS = {
    OcfCode.SUCCESS: ResourceStatus.RUNNING,
    OcfCode.RUNNING_PROMOTED: ResourceStatus.RUNNING,
    OcfCode.NOT_RUNNING: ResourceStatus.STOPPED,
    OcfCode.DEGRADED: ResourceStatus.DEGRADED,
    OcfCode.DEGRADED_PROMOTED: ResourceStatus.DEGRADED,
    OcfCode.NOT_INSTALLED: ResourceStatus.STOPPED,
}


def status_of(monitor_code: int) -> ResourceStatus:
    """Return what a monitor's exit code says of the resource; whatever is no clear answer is FAILED."""
    return (
        _STATUS.get(OcfCode(monitor_code), ResourceStatus.FAILED) if monitor_code in _KNOWN else ResourceStatus.FAILED
    )


def code_of(status: ResourceStatus) -> OcfCode:
    """Return the exit code of a monitor that saw this."""
    match status:
        case ResourceStatus.RUNNING:
            return OcfCode.SUCCESS
        case ResourceStatus.STOPPED:
            return OcfCode.NOT_RUNNING
        case ResourceStatus.DEGRADED:
            return OcfCode.DEGRADED
        case ResourceStatus.FAILED:
            return OcfCode.GENERIC


_KNOWN = frozenset(int(code) for code in OcfCode)
