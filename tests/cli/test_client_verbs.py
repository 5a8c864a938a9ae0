"""The command against a scripted daemon: what is asked, what is printed, the exit code."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from daemon_double import ROOT, DaemonDouble, aoeha, done, say
from goldens import document, screen

from aoeha.cli.control import ask, how_to_start
from aoeha.cli.verbs import VERBS

DOCUMENT = document("healthy")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_status_prints_the_screen(path: Path) -> None:
    with DaemonDouble(path, done(0, "", DOCUMENT)) as daemon:
        ran = aoeha("status", "--socket", str(path))
    assert ran.returncode == 0
    assert ran.stdout == screen("healthy")
    assert daemon.requests == [{"verb": "status", "arguments": {}}]


@pytest.mark.parametrize("verb", ["status", "why", "events"])
@pytest.mark.parametrize("form", [(), ("-o", "json")])
def test_what_a_device_told_the_daemon_never_steers_the_terminal(path: Path, verb: str, form: tuple[str, ...]) -> None:
    told = "the strip says \x1b]0;pwned\x07\x1b[2J\u202eoff\x9b31m\nalpha is off"
    why = {**DOCUMENT["why"], "sentence": told}
    asked = (verb, *form) if verb != "why" else (verb, "-v")
    with DaemonDouble(path, say("alarm", "device", "strip", told), done(0, told, {**DOCUMENT, "why": why})):
        ran = aoeha(*asked, "--socket", str(path))
    assert ran.returncode == 0
    assert r"\u202eoff" in ran.stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(ran.stdout + ran.stderr)
    assert "\nalpha is off" not in ran.stdout


def test_whoever_comes_while_many_others_connect_waits_for_their_turn(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as crowd:
        listener.bind(str(path))
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                one = crowd.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
                one.connect(str(path))

        def serve() -> None:
            time.sleep(0.3)
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        if connection.recv(65_536):
                            connection.sendall(json.dumps(done(0, "it waited")).encode() + b"\n")

        serving = threading.Thread(target=serve)
        serving.start()
        crowd.close()
        assert ask(str(path), "status").sentence == "it waited"
        listener.shutdown(socket.SHUT_RDWR)
        serving.join(10)


def test_watching_shows_it_again_until_interrupted(path: Path) -> None:
    with DaemonDouble(path, done(0, "", DOCUMENT)):
        watching = subprocess.Popen(
            [sys.executable, "-m", "aoeha.cli.main", "status", "-w", "0.1", "-o", "json", "--socket", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever started the tests in the background had SIGINT ignored, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
        )
        assert watching.stdout is not None
        try:
            assert [json.loads(watching.stdout.readline()) for _ in range(3)] == [DOCUMENT] * 3
            watching.send_signal(signal.SIGINT)
            _, errors = watching.communicate(timeout=30)
        finally:
            watching.kill()
    assert (watching.returncode, errors) == (130, "")


def test_status_as_json_is_the_document(path: Path) -> None:
    with DaemonDouble(path, done(0, "", DOCUMENT)):
        ran = aoeha("status", "-o", "json", "--socket", str(path))
    assert json.loads(ran.stdout) == DOCUMENT


@pytest.mark.parametrize(
    ("words", "verb", "arguments"),
    [
        (["standby"], "standby", {}),
        (["standby", "beta"], "standby", {"node": "beta"}),
        (["unstandby", "beta"], "unstandby", {"node": "beta"}),
        (["pause"], "pause", {}),
        (["resume"], "resume", {}),
        (["cleanup"], "cleanup", {}),
        (["why"], "why", {}),
        (["switchover", "storage"], "switchover", {"group": "storage"}),
        (["switchover", "--wait", "storage"], "switchover", {"group": "storage", "wait_ms": "60000"}),
        (["switchover", "--wait", "5s", "storage"], "switchover", {"group": "storage", "wait_ms": "5000"}),
        (["standby", "--wait=2m"], "standby", {"wait_ms": "120000"}),
        (["confirm", "beta", "--typed", "beta"], "confirm", {"node": "beta"}),
        (["fence", "beta", "--typed", "beta"], "fence", {"node": "beta", "wait_ms": "180000"}),
        (
            ["fence", "beta", "--off", "--anyway", "--typed", "beta", "--wait", "5s"],
            "fence",
            {"node": "beta", "act": "off", "anyway": "yes", "wait_ms": "5000"},
        ),
        (["fence", "beta", "--on"], "fence", {"node": "beta", "act": "on", "wait_ms": "180000"}),
        (["fence", "test"], "fence-test", {"wait_ms": "180000"}),
        (["fence", "test", "--all"], "fence-test", {"wait_ms": "180000"}),
        (["fence", "test", "pdu"], "fence-test", {"device": "pdu", "wait_ms": "180000"}),
        (
            ["fence", "verify", "beta", "--level", "2", "--typed", "beta"],
            "fence-verify",
            {"node": "beta", "level": "2", "wait_ms": "180000"},
        ),
        (["events", "-n", "3"], "events", {"number": "3"}),
    ],
)
def test_each_verb_asks_what_it_says(path: Path, words: list[str], verb: str, arguments: dict[str, str]) -> None:
    with DaemonDouble(path, done(0, "it is done")) as daemon:
        ran = aoeha(*words, "--socket", str(path))
    assert ran.returncode == 0, ran.stderr
    looks = [{"verb": "status", "arguments": {}}] if verb == "confirm" else []
    assert daemon.requests == [*looks, {"verb": verb, "arguments": arguments}]


def test_a_restart_waits_until_the_new_daemon_answers(path: Path) -> None:
    with DaemonDouble(path, done(0, "the daemon starts anew")) as daemon:
        ran = aoeha("restart", "--socket", str(path))
    assert (ran.returncode, ran.stdout) == (0, "the daemon starts anew\n")
    assert [request["verb"] for request in daemon.requests] == ["restart", "why"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["fence", "beta", "--off"], 64),
        (["fence", "beta", "--reboot", "--typed", "alpha"], 107),
        (["fence", "verify"], 64),
        (["fence", "verify", "beta"], 64),
        (["fence", "test", "--off"], 64),
        (["fence", "test", "pdu", "--all"], 64),
        (["fence", "beta", "gamma", "--on"], 64),
        (["fence", "beta", "--on", "--off"], 64),
        (["fence", "beta", "--on", "--wait", "soon"], 64),
    ],
)
def test_no_power_is_switched_by_mistake(path: Path, words: list[str], code: int) -> None:
    with DaemonDouble(path, done(0, "")) as daemon:
        ran = aoeha(*words, "--socket", str(path))
    assert (ran.returncode, daemon.requests) == (code, []), ran.stderr


@pytest.mark.parametrize(
    ("state", "plug", "named"),
    [
        ("DISTRUSTED", "7", "plug 7 of pdu is not known to be all that feeds beta"),
        ("DISTRUSTED", "", "the plug of beta at pdu is not known to be all that feeds beta"),
        ("UNREACHABLE", "7", ""),
    ],
)
def test_a_wrong_plug_is_named_with_what_to_do(path: Path, state: str, plug: str, named: str) -> None:
    attempts = [{"device": "pdu", "node": "beta", "plug": plug}, {"device": "pdu", "node": "alpha", "plug": "6"}]
    document = {"fences": [{"name": "pdu", "state": state}], "attempts": attempts}
    with DaemonDouble(path, done(1, "verify of beta failed: a wrong plug", document)):
        ran = aoeha("fence", "verify", "beta", "--typed", "beta", "--socket", str(path))
    assert ran.returncode == 1
    failed, *hints = ran.stderr.splitlines()
    assert "verify of beta failed: a wrong plug" in failed
    assert [named in hint and hint.endswith("then: aoeha fence verify beta") for hint in hints] == [True] * bool(named)


def test_the_fence_history_is_a_table_with_the_reasons(path: Path) -> None:
    attempt = {"device": "pdu", "node": "beta", "action": "off", "reason": "beta is silent", "result": "timed_out"} | {
        "plug": "7"
    }
    times = {"begun_wall_ms": 1_700_000_000_000, "ended_wall_ms": 1_700_000_010_000, "detail": "no answer"}
    with DaemonDouble(path, done(0, "", {"schema": 1, "attempts": [attempt | times]})) as daemon:
        ran = aoeha("fence", "history", "-n", "7", "--socket", str(path), environment={"TZ": "UTC"})
        plain = aoeha("fence", "history", "-o", "json", "--socket", str(path))
    assert ran.stdout.splitlines() == [
        "BEGUN                TOOK   NODE  ACTION  DEVICE  PLUG  RESULT",
        "2023-11-14 22:13:20  10.0s  beta  off     pdu     7     timed_out",
        "    beta is silent",
        "    no answer",
    ]
    assert json.loads(plain.stdout)["attempts"] == [attempt | times]
    assert daemon.requests[0] == {"verb": "fence-history", "arguments": {"number": "7"}}


def test_confirm_shows_what_is_known_before_it_asks(path: Path) -> None:
    shown = document("nobody-serves")
    shown["fences"][0] |= {"plug": "on"}
    shown["fences"].append({"name": "pdu-b", "level": 3, "state": "unknown", "checked_ms_ago": None, "detail": ""})
    shown["links"].append(shown["links"][0] | {"name": "storage-network", "heard_ms_ago": None})
    shown["groups"][0]["legs"] = [
        {"leg": "e1.0", "address": "e1", "holder": "alpha", "since_ms_ago": 5, "stamped_ms_ago": 3_000}
    ]
    with DaemonDouble(path, done(0, "", shown)):
        ran = aoeha("confirm", "alpha", "--typed", "alpha", "--socket", str(path))
    for line in (
        "What beta knows of alpha (silent):",
        "last beat on serial1: 3m ago",
        "last beat on storage-network: never",
        "shelf e1.0 of storage at e1: reserved for alpha; the stamp of alpha moved there 3.0s ago",
        "fence device switch: reported the plug of alpha ON 11.2s ago (it did not answer in time",
        "fence device pdu-b: was not asked yet",
        "aoeha fence test",
    ):
        assert line in ran.stderr


def test_what_the_daemon_says_meanwhile_and_how_to_undo_it_is_printed(path: Path) -> None:
    with DaemonDouble(path, say("info", "group", "storage", "stopping exports"), done(0, "beta serves storage")):
        ran = aoeha("switchover", "storage", "--socket", str(path))
    assert ran.stdout.splitlines() == [
        "group storage: stopping exports",
        "beta serves storage",
        "To undo: on the other gateway, once it serves: aoeha switchover storage",
    ]


def test_an_answer_that_was_just_said_is_not_said_again(path: Path) -> None:
    with DaemonDouble(path, say("info", "node", "beta", "pdu reads beta as on"), done(0, "pdu reads beta as on")):
        ran = aoeha("fence", "test", "--socket", str(path))
    assert ran.stdout.splitlines() == ["node beta: pdu reads beta as on"]


def test_fence_help_tells_what_each_form_is_for() -> None:
    ran = aoeha("fence", "--help")
    for form in (
        "NODE [--off | --on | --reboot]",
        "test [DEVICE | --all]",
        "verify NODE [--level N]",
        "history [-n COUNT]",
    ):
        assert f"aoeha fence {form}" in ran.stdout


def test_events_carry_the_local_time(path: Path) -> None:
    line = say("alarm", "link", "serial", "nothing is heard") | {"wall_ms": 1_700_000_000_123}
    with DaemonDouble(path, line, done(0, "")):
        ran = aoeha("events", "--socket", str(path), environment={"TZ": "UTC"})
    assert ran.stdout == "2023-11-14 22:13:20.123  ALARM  link serial: nothing is heard\n"


@pytest.mark.parametrize("code", [1, 4, 107, 112, 124])
def test_a_refusal_is_passed_on_with_its_code_and_sentence(path: Path, code: int) -> None:
    with DaemonDouble(path, done(code, "cannot move storage: beta is silent")):
        ran = aoeha("switchover", "--socket", str(path))
    assert ran.returncode == code
    assert ran.stderr == "aoeha: cannot move storage: beta is silent\n"
    assert "To undo" not in ran.stdout


@pytest.mark.parametrize(("exit_code", "code"), [(107, "command.refused.peer-not-heard"), (0, "command.begun")])
@pytest.mark.parametrize("words", [["switchover"], ["pause"], ["cleanup"], ["fence", "test"], ["standby", "beta"]])
def test_a_program_reads_why_a_command_was_refused(path: Path, words: list[str], exit_code: int, code: str) -> None:
    told = say("info", "group", "storage", "stopping exports")
    with DaemonDouble(path, told, done(exit_code, "so it is", code=code)):
        ran = aoeha(*words, "-o", "json", "--socket", str(path))
    assert (ran.returncode, ran.stderr) == (exit_code, "")
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        told,
        {"kind": "done", "exit_code": exit_code, "code": code, "sentence": "so it is"},
    ]


@pytest.mark.parametrize("verb", [["status"], ["standby"], ["events"]])
def test_no_daemon_is_seven(path: Path, verb: list[str]) -> None:
    ran = aoeha(*verb, "--socket", str(path))
    assert ran.returncode == 7
    assert "systemctl start aoeha" in ran.stderr


def test_a_service_that_systemd_would_skip_is_not_called_startable(tmp_path: Path) -> None:
    configuration, command_line = tmp_path / "aoeha.toml", tmp_path / "cmdline"
    command_line.write_text("root=/dev/sda1 quiet\n")
    assert f"there is no {configuration}" in how_to_start(str(configuration), str(command_line))
    configuration.touch()
    assert how_to_start(str(configuration), str(command_line)) == "start it: systemctl start aoeha"
    command_line.write_text("root=/dev/sda1 nocluster\n")
    assert "nocluster" in how_to_start(str(configuration), str(command_line))
    unit = (Path(ROOT) / "etc/systemd/aoeha.service").read_text()
    assert sorted(line for line in unit.splitlines() if line.startswith("Condition")) == [
        "ConditionKernelCommandLine=!nocluster",
        "ConditionPathExists=/etc/aoeha/aoeha.toml",
    ]


def test_a_socket_that_nobody_listens_on_is_seven(path: Path) -> None:
    with DaemonDouble(path):
        pass
    assert aoeha("status", "--socket", str(path)).returncode == 7


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody who may not")
def test_no_permission_is_four_and_names_the_group(path: Path) -> None:
    with DaemonDouble(path, done(0, "")):
        path.chmod(0o600)
        for folder in path.parents[:-2]:
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o001)
        # In-process and forked: nobody can't read the interpreter's packages everywhere.
        program = (
            "import os, sys\nfrom aoeha.cli import status, control, verbs, status_text\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"sys.exit(verbs.run_verb(['status', '--socket', {str(path)!r}]))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.returncode == 4, ran.stderr
    assert "group aoeha" in ran.stderr


@pytest.mark.parametrize("lines", [[], [b'{"kind": "say", "level'], [say("info", "group", "storage", "stopping")]])
def test_a_daemon_that_goes_away_leaves_the_end_undetermined(path: Path, lines: list[dict[str, str] | bytes]) -> None:
    with DaemonDouble(path, *lines):
        ran = aoeha("standby", "--socket", str(path))
    assert ran.returncode == 112
    assert "aoeha status" in ran.stderr


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"[1]\n", b'{"kind": "done", "exit_code": "zero"}\n'])
def test_a_foreign_answer_is_a_sentence_not_a_traceback(path: Path, line: bytes) -> None:
    with DaemonDouble(path, line):
        ran = aoeha("status", "--socket", str(path))
    assert ran.returncode == 1
    assert ran.stderr.startswith("aoeha: cannot read the daemon's answer")
    assert "Traceback" not in ran.stderr


def test_a_silent_daemon_is_124_after_the_deadline(path: Path) -> None:
    program = (
        "from aoeha.cli.control import ControlError, ask\n"
        f"try: ask({str(path)!r}, 'status', deadline_seconds=0.2)\n"
        "except ControlError as error: print(int(error.code))"
    )
    with DaemonDouble(path, answers=False):
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.stdout == "124\n", ran.stderr


def test_confirm_without_a_terminal_needs_the_name_again(path: Path) -> None:
    with DaemonDouble(path, done(0, "")) as daemon:
        assert aoeha("confirm", "beta", "--socket", str(path)).returncode == 64
        assert aoeha("confirm", "beta", "--typed", "alpha", "--socket", str(path)).returncode == 107
    assert [request["verb"] for request in daemon.requests] == ["status", "status"]


@pytest.mark.parametrize(("typed", "code", "asked"), [("beta", 0, 2), ("alpha", 107, 1), ("yes", 107, 1), ("", 107, 1)])
def test_confirm_on_a_terminal_wants_the_name_typed(path: Path, typed: str, code: int, asked: int) -> None:
    ours, theirs = pty.openpty()
    try:
        with DaemonDouble(path, done(0, "taken")) as daemon:
            os.write(ours, f"{typed}\n".encode())
            ran = subprocess.run(
                [sys.executable, "-m", "aoeha.cli.main", "confirm", "beta", "--socket", str(path)],
                cwd=ROOT,
                stdin=theirs,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ran.returncode == code, ran.stderr
    assert len(daemon.requests) == asked


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "VERB"),
        (["stauts"], "did you mean `aoeha status`"),
        (["status", "--nonsense"], "--nonsense"),
        (["standby", "--wait=fast"], 'like "200ms"'),
        (["confirm"], "NODE"),
        (["status", "-o", "xml"], "xml"),
    ],
)
def test_usage_errors_are_64(words: list[str], hint: str) -> None:
    ran = aoeha(*words)
    assert ran.returncode == 64
    assert ran.stderr.startswith("aoeha: cannot understand the command")
    assert hint in ran.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    ran = aoeha(verb, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"usage: aoeha {verb}")


@pytest.mark.parametrize("verb", ["status", "events", "standby", "unstandby", "switchover", "confirm"])
def test_client_verbs_import_the_standard_library_only(path: Path, verb: str) -> None:
    words = [verb, *(("x", "--typed", "x") if verb == "confirm" else ()), "--socket", str(path)]
    program = (
        f"import sys\nfrom aoeha.cli.verbs import run_verb\nrun_verb({words!r})\n"
        "heavy = {name.split('.')[0] for name in sys.modules} & {'msgspec', 'asyncio', 'serial', 'jinja2'}\n"
        "ours = {name for name in sys.modules if name.startswith(('aoeha.core', 'aoeha.io', 'aoeha.daemon'))}\n"
        "light = {f'aoeha.core{name}' for name in ('', '.model', '.model.exits', '.model.text')}\n"
        "print(sorted(heavy | ours - light))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "[]\n", ran.stderr


def test_a_reader_that_has_seen_enough_is_no_error(path: Path) -> None:
    with DaemonDouble(
        path, *[say("info", "group", "storage", f"sentence {number} {'x' * 500}") for number in range(900)], done(0, "")
    ):
        ran = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m aoeha.cli.main events --socket {path} | head -n 1"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.stdout.startswith("group storage: sentence 0")
    assert ran.stderr == ""


def test_the_daemon_pays_for_no_client_verb_before_its_first_beat() -> None:
    program = (
        "import sys\nfrom aoeha.cli.main import main\ncode = main(['daemon', '--help'])\n"
        "late = {'msgspec', 'asyncio', 'pyroute2', 'serial', 'jinja2', 'aoeha.cli.verbs', 'aoeha.cli.control'}\n"
        "print(sorted(late & set(sys.modules)), code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.splitlines()[-1] == "[] 0", ran.stderr


def test_a_usage_error_of_the_daemon_is_64() -> None:
    ran = aoeha("daemon", "--nonsense")
    assert ran.returncode == 64
    assert "try: aoeha daemon --help" in ran.stderr
