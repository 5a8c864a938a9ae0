"""A server that speaks the control protocol from a script, in a thread of its own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]


class DaemonDouble:
    """Listens at `path`; sends the scripted lines to whoever asks, and keeps the requests."""

    def __init__(self, path: Path, *lines: dict[str, Any] | bytes, answers: bool = True) -> None:
        self.path = path
        self.requests: list[dict[str, Any]] = []
        self._lines = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
        self._answers = answers
        self._ended = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader:
                line = reader.readline()
                if line:
                    self.requests.append(json.loads(line))
                if not self._answers:
                    self._ended.wait(30)
                    continue
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    for scripted in self._lines:
                        connection.sendall(scripted)


def done(
    exit_code: int, sentence: str, document: dict[str, Any] | None = None, code: str = "command.x"
) -> dict[str, Any]:
    return {"kind": "done", "exit_code": exit_code, "code": code, "sentence": sentence, "document": document}


def say(level: str, kind: str, name: str, sentence: str) -> dict[str, Any]:
    subject = {"kind": kind, "name": name}
    return {"kind": "say", "level": level, "code": "x.y", "subject": subject, "sentence": sentence, "ends": False}


def aoeha(*words: str, stdin: str = "", environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "aoeha.cli.main", *words],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | (environment or {}),
    )
