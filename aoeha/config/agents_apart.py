"""The agents of a file judge it in a process of their own, with a deadline.

One that crashes, hangs or ends its process takes nothing else along, and is named.

Run as a program this module is that process. Its words are the file, and where it writes what it finds: a line as JSON
before each agent that it asks, and one for each finding. What agents print goes nowhere.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from aoeha.config.agent_parameters import agent_findings
from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.load import inspect
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["DEADLINE_MS", "findings_of_agents"]

DEADLINE_MS = 120_000
"""Debian's fence programs take seconds each to say what they are."""
_PROGRAM = "import sys; sys.path[:0] = {path!r}; from aoeha.config.agents_apart import main; main(*sys.argv[1:])"


def findings_of_agents(file: str, deadline_ms: int = DEADLINE_MS) -> list[KeyFinding]:
    """Return what the agents say of the file, and which of them could not say it."""
    host = ProcessHost(Place(cluster="", node=f"check-{os.getpid()}"))
    program = (sys.executable, "-c", _PROGRAM.format(path=[path for path in sys.path if path]))
    with tempfile.TemporaryDirectory(prefix="aoeha-check-") as folder:
        told = Path(folder, "findings")
        try:
            ran = asyncio.run(host.run(*program, os.path.abspath(file), str(told), deadline_ms=deadline_ms))  # noqa: PTH100  `file` may be no path
            how = f"ended the check with code {ran.returncode}"
        except TimeoutError:
            how = f"did not end within {deadline_ms / 1_000:g} s"
        lines = told.read_bytes().splitlines() if told.exists() else []
    findings, asked, is_done = _read(lines)
    if not is_done:
        sentence = f"its agent {how}, and what comes after it was not checked; correct or remove the agent"
        findings.append(KeyFinding((*asked, "type") if asked else (), sentence))
    return findings


def _read(lines: list[bytes]) -> tuple[list[KeyFinding], KeyPath, bool]:
    """Return the findings, what was asked last, and whether all of them were. A child may end within a line."""
    findings, asked, is_done = list[KeyFinding](), KeyPath(), False
    for line in lines:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return findings, asked, False
        match told:
            case {"asked": list(path)}:
                asked = tuple(path)
            case {"path": list(path), "sentence": str(sentence), "warning": bool(warning)}:
                findings.append(KeyFinding(tuple(path), sentence, warning=warning))
            case _:
                is_done = told == {}
    return findings, asked, is_done


def main(file: str, told: str) -> None:
    """Be the process in which the agents are asked."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    with Path(told).open("w", encoding="utf-8") as out:

        def tell(entry: dict[str, Any]) -> None:
            print(json.dumps(entry), file=out, flush=True)

        draft = inspect(file).draft
        found = agent_findings(draft, lambda path: tell({"asked": path})) if draft is not None else []
        for finding in found:
            tell({"path": finding.path, "sentence": finding.sentence, "warning": finding.warning})
        tell({})
