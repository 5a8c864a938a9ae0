"""The output of `aoeha check`, one finding a line."""

import dataclasses
import os
import socket
import sys

from aoeha.cli.check.fences import FenceCheck, check_fences
from aoeha.cli.check.host import HostCheck, check_host
from aoeha.cli.restart_gap import measured_restart_gap_ms
from aoeha.cli.screen import counted
from aoeha.config.agents_apart import findings_of_agents
from aoeha.config.findings import ConfigurationError, Finding
from aoeha.config.keys import load_keys
from aoeha.config.load import inspect
from aoeha.config.schema import Configuration
from aoeha.config.this_machine import other_machine
from aoeha.config.view import config_tag
from aoeha.core.model.exits import Exit
from aoeha.io.trusted_files import why_untrusted
from aoeha.preflight import SharedArray

__all__ = ["FenceCheck", "HostCheck", "check"]


def check(file: str | None, default_file: str, host: HostCheck | None, fences: FenceCheck | None = None) -> Exit:
    """Print the findings of the file, and if asked those of the host and the fence devices. Return the exit code.

    When no file was named and the default file does not exist yet, --host checks the host alone, for a first setup.
    """
    if host and file is None and not os.path.lexists(default_file):
        print(f"{default_file}: not written yet; only this host is checked")
        return check_host(host, ())
    file = file or default_file
    inspection = inspect(file, measured_restart_gap_ms() if host else None)
    findings = list(inspection.findings)
    configuration = inspection.configuration
    findings += _trust(file, is_own=file == default_file)
    if inspection.source is not None and inspection.draft is not None:
        findings += [inspection.source.located(finding) for finding in findings_of_agents(file)]
    if configuration is not None:
        findings += _key_findings(configuration)
    if inspection.source is not None and configuration is not None and host is not None and host.root == "/":
        node = host.node or socket.gethostname().partition(".")[0]
        findings += [inspection.source.located(finding) for finding in other_machine(configuration, node)]
    for finding in sorted(findings, key=lambda finding: finding.line):
        print(finding, file=sys.stderr)
    errors = sum(not finding.warning for finding in findings)
    warnings = len(findings) - errors
    if errors or configuration is None:
        print(f"{file}: {counted(errors, 'error')}, {counted(warnings, 'warning')}", file=sys.stderr)
    else:
        nodes = " and ".join(node.name for node in configuration.nodes)
        tag = config_tag(configuration)
        print(f"{file}: valid for {nodes}, {counted(warnings, 'warning')}; fingerprint {tag:08x}")
    host_code = check_host(host, _shared_arrays(inspection.draft)) if host else Exit.DONE
    fence_code = check_fences(configuration, fences) if fences and configuration and not errors else Exit.DONE
    return Exit.BAD_CONFIGURATION if errors else host_code or fence_code


def _trust(file: str, *, is_own: bool) -> list[Finding]:
    """Say who else may change the file. Elsewhere it may be a draft; where the daemon reads it, it is refused."""
    why = why_untrusted(file)
    sentence = f"cannot trust the file: {why}; the daemon takes its configuration from nobody but root"
    return [Finding(file, 0, "", sentence, warning=not is_own)] if why else []


def _key_findings(configuration: Configuration) -> list[Finding]:
    """Check the key file. A missing one is a warning: the configuration can be checked before the pair is set up."""
    try:
        load_keys(configuration.key_file)
    except ConfigurationError as error:
        is_unknown = isinstance(error.__cause__, FileNotFoundError | PermissionError)
        return [dataclasses.replace(finding, warning=is_unknown) for finding in error.findings]
    return []


def _shared_arrays(configuration: Configuration | None) -> tuple[SharedArray, ...]:
    """Return the arrays that the groups assemble: the resources that name a device, its UUID and its legs."""
    if configuration is None:
        return ()
    tables = (resource.parameters for group in configuration.groups for resource in group.resources)
    return tuple(
        SharedArray(str(table["device"]), str(table["uuid"]), tuple(map(str, table["legs"])))
        for table in tables
        if table.keys() >= {"device", "uuid", "legs"} and isinstance(table["legs"], list | tuple)
    )
