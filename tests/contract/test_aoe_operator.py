"""`aoeha aoe paths|lock|reserve|release` on Debian's vblade: what they show, refuse, change, and how to undo it."""

import json
import os
import pty
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from daemon_double import DaemonDouble, done
from test_aoe_probe import Script, ScriptedTarget
from test_aoe_vblade import San, ip

from aoeha.core.model.shelves import LockRecord
from aoeha.fabric.aoe.client import TargetAddress
from aoeha.fabric.aoe.frames import Target, format_mac
from aoeha.wire.keys import Key
from aoeha.wire.lock_record import pack

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"
ALPHA, BETA, STRANGER = "02:77:01:00:00:11", "02:77:01:00:00:12", "02:00:00:00:00:99"
RECORD = pack(LockRecord("alpha", "0123456789abcdef" * 2, 3, 7, 1_234_567), "gw", "storage", Key(1, bytes(32)))


PORTS = {"e1.0": "s1", "e2.0": "s1b"}


class Site:
    """The example pair's legs on two shelves; this host is alpha."""

    def __init__(self, san: San, folder: Path) -> None:
        self.san = san
        self.file = folder / "aoeha.toml"
        self.socket = folder / "control.sock"
        ip("-n", san.gateway, "link", "set", "eth1", "address", ALPHA)
        san.add_port("s1b", beside="s1")
        text = EXAMPLE.read_text()
        for target, known in (("e1.0", "02:77:01:00:00:31"), ("e2.0", "02:77:01:00:00:32")):
            san.export(target, target, PORTS[target], san.disk(f"disk{target[1]}", 1024 * 1024))
            text = text.replace(known, format_mac(self.address(target).mac))
        self.file.write_text(text)

    def address(self, target: str) -> TargetAddress:
        return self.san.address(target, "eth1", PORTS.get(target, "s1"))

    def run(self, *words: str) -> int:
        return self.san.command(*words, "-c", str(self.file), "--node", "alpha")

    def change(self, *words: str) -> int:
        return self.run(*words, "--socket", str(self.socket))

    def holders(self, target: str) -> list[str]:
        address = self.address(target)
        return [format_mac(mac) for mac in self.san.ask(lambda client: client.read_reservation(address, 2000))]

    def hold(self, target: str, *holders: str) -> None:
        address = self.address(target)
        owners = tuple(bytes.fromhex(holder.replace(":", "")) for holder in holders)
        self.san.ask(lambda client: client.reserve(address, owners, force=True, deadline_ms=2000))

    def write(self, target: str, string: bytes) -> None:
        address = self.address(target)
        self.san.ask(lambda client: client.write_config(address, string, force=True, deadline_ms=2000))

    def kill(self, target: str) -> None:
        self.san.blades[target].send_signal(signal.SIGKILL)
        self.san.blades[target].wait(timeout=10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    san = San(tmp_path)
    try:
        san.build()
        yield Site(san, tmp_path)
    finally:
        san.remove()


def test_paths_name_the_holder_and_the_locks_owner(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hold("e1.0", BETA)
    site.write("e1.0", RECORD)
    assert site.run("paths") == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", heading)[-2:] == ["HOLDER", "LOCK RECORD"]
    mac = format_mac(site.san.address("e1.0", "eth1").mac)
    one, two = re.split(r"\s{2,}", first), re.split(r"\s{2,}", second)
    assert one[:5] == ["storage", "e1.0", mac, "eth1", "answers"]
    assert re.fullmatch(r"\d+\.\d\dms", one[5])
    assert one[6:] == ["1024", "beta", "alpha epoch 7"]
    assert two[6:] == ["1024", "nobody", "-"]


def test_paths_call_every_other_list_a_strangers(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hold("e1.0", ALPHA, BETA)
    site.hold("e2.0", STRANGER)
    assert site.run("paths", "-o", "json") == 0
    holders = [target["holder"] for target in json.loads(capsys.readouterr().out)["targets"]]
    assert holders == [f"a stranger: {ALPHA},{BETA}", f"a stranger: {STRANGER}"]


def test_paths_show_the_silent_one_and_fail(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.kill("e2.0")
    assert site.run("paths", "-o", "json") == 1
    said = capsys.readouterr()
    states = [(target["device"], target["state"], target["holder"]) for target in json.loads(said.out)["targets"]]
    assert states == [("e1.0", "answers", "nobody"), ("e2.0", "silent", None)]
    assert "cannot reach e2.0" in said.err


def test_paths_say_when_a_card_is_not_the_configured_one(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    ip("-n", site.san.gateway, "link", "set", "eth1", "address", STRANGER)
    assert site.run("paths") == 1
    assert f"cannot trust eth1: its hardware address is {STRANGER}" in capsys.readouterr().err


def test_paths_go_on_without_an_interface_that_is_down(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.file.write_text(
        site.file.read_text().replace('eth1 = "02:77:01:00:00:11"', f'eth1 = "{ALPHA}", eth2 = "02:77:01:00:00:21"')
    )
    ip("-n", site.san.gateway, "link", "set", "eth2", "down")
    assert site.run("paths", "-o", "json") == 1
    said = capsys.readouterr()
    states = [(target["interface"], target["state"]) for target in json.loads(said.out)["targets"]]
    assert states == [("eth1", "answers"), ("eth2", "unusable")] * 2
    assert "cannot use eth2 for AoE: it is down" in said.err


def test_lock_shows_the_record_and_other_texts_as_they_are(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write("e1.0", RECORD)
    site.write("e2.0", b"the library's\x1b[2J")
    assert site.run("lock", "e1.0") == 0
    assert site.run("lock", "e2.0") == 0
    said = capsys.readouterr().out
    assert "alpha epoch 7" in said
    assert RECORD.decode() in said
    assert "another text" in said
    assert "\\x1b[2J" in said
    assert "\x1b" not in said


def test_lock_of_a_silent_target_fails(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.kill("e1.0")
    assert site.run("lock", "e1.0") == 1
    assert "cannot read e1.0 at" in capsys.readouterr().err


def test_a_free_target_is_reserved_for_a_gateway_read_back_and_undone(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.change("reserve", "e1.0", "--for", "alpha", "--yes") == 0
    said = capsys.readouterr().out
    assert site.holders("e1.0") == [ALPHA]
    assert site.holders("e2.0") == []
    assert "HELD NOW" in said
    assert "From then on only alpha can read and write e1.0" in said
    assert "never force while the pair runs" in said
    undo = next(line for line in said.splitlines() if line.startswith("To undo: "))
    words = undo.removeprefix("To undo: aoeha aoe ").split()
    assert words[:2] == ["release", "e1.0"]
    assert "--force" not in words
    assert site.san.command(*words, "--yes", "--socket", str(site.socket)) == 0
    assert site.holders("e1.0") == []


def test_a_target_is_never_taken_from_another_without_force(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    for others in ((BETA,), (STRANGER,), (ALPHA, STRANGER)):
        site.hold("e1.0", *others)
        for words in (("reserve", "e1.0", "--for", "alpha"), ("release", "e1.0"), ("reserve", "e1.0", "--hosts", BETA)):
            if words[-1] == BETA == others[0]:
                continue
            assert site.change(*words, "--yes") == 107
            assert site.holders("e1.0") == list(others)
            said = capsys.readouterr()
            assert "nothing was changed" in said.err
            assert "To undo" not in said.out


def test_force_takes_it_and_the_undo_gives_it_back(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hold("e1.0", BETA)
    assert site.change("reserve", "e1.0", "--hosts", STRANGER, "--force", "--yes") == 0
    said = capsys.readouterr().out
    assert site.holders("e1.0") == [STRANGER]
    assert "It is taken from beta." in said
    undo = next(line for line in said.splitlines() if line.startswith("To undo: "))
    words = undo.removeprefix("To undo: aoeha aoe ").split()
    assert words[:5] == ["reserve", "e1.0", "--hosts", BETA, "--force"]
    assert site.san.command(*words, "--yes", "--socket", str(site.socket)) == 0
    assert site.holders("e1.0") == [BETA]


def test_the_holder_hands_it_over_without_force(site: Site) -> None:
    site.hold("e1.0", ALPHA)
    assert site.change("reserve", "e1.0", "--for", "beta", "--yes") == 0
    assert site.holders("e1.0") == [BETA]


def test_release_says_who_writes_again(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hold("e1.0", BETA)
    assert site.change("release", "e1.0", "--force", "--yes") == 0
    said = capsys.readouterr().out
    assert site.holders("e1.0") == []
    assert "release nothing that a fenced gateway may still write to" in said
    assert f"To undo: aoeha aoe reserve e1.0 --hosts {BETA}" in said


def test_a_dry_run_shows_and_changes_nothing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hold("e1.0", BETA)
    assert site.change("release", "e1.0", "--force", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "It is taken from beta." in said
    assert "Dry run: nothing was changed." in said
    assert "To undo" not in said
    assert site.holders("e1.0") == [BETA]


def test_what_is_so_already_is_left_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hold("e1.0", BETA)
    assert site.change("reserve", "e1.0", "--for", "beta") == 0
    assert "nothing was changed" in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "code", "holders"), [("e1.0", 0, [ALPHA]), ("e2.0", 107, []), ("yes", 107, [])])
def test_the_targets_name_is_typed(
    site: Site, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, holders: list[str]
) -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs) as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            os.write(ours, f"{typed}\n".encode())
            assert site.change("reserve", "e1.0", "--for", "alpha") == code
    finally:
        os.close(ours)
    assert site.holders("e1.0") == holders


def test_without_a_terminal_yes_is_needed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.change("reserve", "e1.0", "--for", "alpha") == 64
    assert "add --yes" in capsys.readouterr().err
    assert site.holders("e1.0") == []


def test_what_changes_while_the_name_is_typed_is_not_overrun(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Slow:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            site.hold("e1.0", BETA)
            return "e1.0\n"

    monkeypatch.setattr(sys, "stdin", Slow())
    assert site.change("reserve", "e1.0", "--for", "alpha", "--force") == 107
    assert f"it is now reserved for {BETA}" in capsys.readouterr().err
    assert site.holders("e1.0") == [BETA]


def test_a_group_that_is_started_while_the_name_is_typed_is_left_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def owned_by(owner: str) -> dict[str, object]:
        return done(0, "", {"groups": [{"name": "storage", "owner": owner}]})

    with DaemonDouble(site.socket, owned_by("nobody")) as daemon:

        class Slow:
            def isatty(self) -> bool:
                return True

            def readline(self) -> str:
                daemon._lines = [json.dumps(owned_by("alpha")).encode() + b"\n"]
                return "e1.0\n"

        monkeypatch.setattr(sys, "stdin", Slow())
        assert site.change("reserve", "e1.0", "--for", "alpha") == 107
    assert "it is a leg of storage, which alpha owns" in capsys.readouterr().err
    assert len(daemon.requests) == 2
    assert site.holders("e1.0") == []


@pytest.mark.parametrize(
    ("owner", "words", "meaning"),
    [
        ("alpha", ("reserve", "e1.0", "--for", "beta"), "alpha owns storage and will reboot itself when it finds"),
        ("beta", ("reserve", "e1.0", "--hosts", STRANGER), "beta owns storage and loses this leg to a foreign host"),
        ("beta", ("reserve", "e1.0", "--for", "beta"), "beta owns storage: this gives its leg back"),
        ("nobody", ("reserve", "e1.0", "--for", "beta"), "which no gateway owns"),
    ],
)
def test_what_it_means_to_the_pair_is_said_before(
    site: Site, capsys: pytest.CaptureFixture[str], owner: str, words: tuple[str, ...], meaning: str
) -> None:
    document = {"groups": [{"name": "storage", "owner": owner}]}
    with DaemonDouble(site.socket, done(0, "", document)):
        assert site.change(*words, "--force", "--dry-run") == 0
    assert meaning in capsys.readouterr().out
    assert site.holders("e1.0") == []


def test_every_address_is_changed_and_the_silent_one_makes_it_fail(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    first = format_mac(site.san.address("e1.0", "eth1").mac)
    site.file.write_text(site.file.read_text().replace(f'["{first}"]', f'["{first}", "02:00:00:00:00:77"]', 1))
    assert site.change("reserve", "e1.0", "--for", "alpha", "--yes") == 1
    said = capsys.readouterr()
    assert site.holders("e1.0") == [ALPHA]
    assert "cannot reach e1.0 at 02:00:00:00:00:77" in said.err
    assert "To undo" in said.out


def test_an_address_that_nobody_configured_is_changed_too_and_named(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.san.export("again", "e1.0", "s2", site.san.folder / "disk1")
    other = site.san.address("e1.0", "eth2")
    assert site.change("reserve", "e1.0", "--for", "alpha", "--yes", "-i", "eth1,eth2") == 0
    assert "is not in the configuration" in capsys.readouterr().out
    holders = site.san.ask(lambda client: client.read_reservation(other, 2000))
    assert [format_mac(holder) for holder in holders] == [ALPHA]


def test_a_target_that_is_no_leg_needs_no_daemon(site: Site) -> None:
    site.san.export("e7.1", "e7.1", "s1", site.san.disk("other", 1024 * 1024))
    assert site.change("reserve", "e7.1", "--hosts", STRANGER, "--yes") == 0
    assert site.holders(str(Target(7, 1))) == [STRANGER]


def test_a_silent_target_is_not_changed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.kill("e1.0")
    assert site.change("release", "e1.0", "--yes") == 1
    assert "cannot see e1.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reserve", "code", "words"),
    [
        ("silent", 1, "it does not report its reservation"),
        ("told", 1, "it still shows nobody as its holder"),
        ("dies when set", 112, "cannot tell who holds e9.0"),
    ],
)
def test_a_target_that_does_not_do_it_is_a_failure_or_unknown(
    site: Site, capsys: pytest.CaptureFixture[str], reserve: str, code: int, words: str
) -> None:
    with ScriptedTarget(site.san, Script("ggaoed", 1, reserve)):
        assert site.change("reserve", "e9.0", "--hosts", STRANGER, "--yes", "-i", "eth1") == code
    said = capsys.readouterr()
    assert words in said.err
    assert "To undo" not in said.out


def test_different_lists_before_have_no_single_undo(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.san.export("again", "e1.0", "s2", site.san.folder / "disk1")
    site.hold("e1.0", BETA)
    assert site.change("reserve", "e1.0", "--for", "alpha", "--force", "--yes", "-i", "eth1,eth2") == 0
    undo = capsys.readouterr().out.splitlines()[-1]
    assert undo.startswith("To undo: no single command does")
    assert f"on eth1: {BETA}" in undo
    assert "on eth2: nobody" in undo
