"""What `aoeha check` finds, line by line."""

import dataclasses
import sys

from aoeha.cli.exits import Exit
from aoeha.cli.restart_gap import measured_restart_gap_ms
from aoeha.config.agent_parameters import agent_complaints
from aoeha.config.findings import ConfigurationError, Finding
from aoeha.config.keys import load_keys
from aoeha.config.load import inspect
from aoeha.config.schema import Configuration
from aoeha.config.view import config_tag

__all__ = ["check"]


def check(file: str, *, look_at_host: bool) -> Exit:
    """Print all findings about the file, and about this machine if asked; return the exit code."""
    inspection = inspect(file, measured_restart_gap_ms() if look_at_host else None)
    findings = list(inspection.findings)
    configuration = inspection.configuration
    if inspection.source is not None and inspection.draft is not None:
        findings += [inspection.source.finding(complaint) for complaint in agent_complaints(inspection.draft)]
    if configuration is not None:
        findings += _key_findings(configuration)
    for finding in sorted(findings, key=lambda finding: finding.line):
        print(finding, file=sys.stderr)
    errors = sum(not finding.warning for finding in findings)
    warnings = len(findings) - errors
    if errors or configuration is None:
        print(f"{file}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}", file=sys.stderr)
    else:
        nodes = " and ".join(node.name for node in configuration.nodes)
        tag = config_tag(configuration)
        print(f"{file}: good for {nodes}, {_counted(warnings, 'warning')}; fingerprint {tag:08x}")
    host_code = _check_host() if look_at_host else Exit.DONE
    return Exit.BAD_CONFIGURATION if errors else host_code


def _key_findings(configuration: Configuration) -> list[Finding]:
    """Judge the key file. That it isn't there yet is a warning: a file can be checked before the pair is set up."""
    try:
        load_keys(configuration.key_file)
    except ConfigurationError as error:
        is_unknown = isinstance(error.__cause__, FileNotFoundError | PermissionError)
        return [dataclasses.replace(finding, warning=is_unknown) for finding in error.findings]
    return []


def _check_host() -> Exit:
    from aoeha.agents.preflight import findings  # noqa: PLC0415  looks at the machine only when asked to

    found = findings()
    for finding in found:
        print(f"host: {finding.sentence}\n  {finding.mend}", file=sys.stderr)
    if not found:
        print("host: nothing stands in the way")
        return Exit.DONE
    print(f"host: {_counted(len(found), 'finding')}; the commands above mend them", file=sys.stderr)
    return Exit.FAILED


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
