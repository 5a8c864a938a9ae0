"""What the kernel and other machines' frames tell: it is read right whatever other people's names stand in it."""

import subprocess
import sys
from pathlib import Path

import pytest
from damage import damaged, damaged_text
from hypothesis import example, given
from hypothesis import strategies as st

from aoeha.agents.parts import aoe_driver, md_sysfs
from aoeha.agents.parts.inflight_io import unfinished_writes
from aoeha.agents.parts.superblock import parse_examine
from aoeha.io import tickle
from aoeha.io.mounts import Mount, mounts, users_of
from aoeha.io.reference_hosts import is_reply

OURS_MOUNTED = b"36 1 8:1 / /srv/volume rw,relatime shared:1 - ext4 /dev/md/volume rw\n"
ESCAPED = b" \t\n\\#"
EXAMINE = """/dev/etherd/e1.0:
          Magic : a92b4efc
        Version : 1.2
     Array UUID : a0e4a000:00000000:00000000:00000001
         Events : 18
    Device Role : Active device 0
    Array State : AA ('A' == active, '.' == missing, 'R' == replacing)
/dev/etherd/e2.0:
     Array UUID : a0e4a000:00000000:00000000:00000001
Recovery Offset : 0 sectors
         Events : 17
    Device Role : Active device 1
    Array State : AA
"""
TCP = b"""  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0A4D010B:0801 0B4D010A:03E7 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 24 10 -1
"""
STAT = b"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"
names = st.binary(min_size=1, max_size=30).map(lambda name: name.replace(b"\0", b"?"))


def as_the_kernel_writes(name: bytes) -> bytes:
    """Escape a name as mangle_path() in the kernel's fs/seq_file.c does for mountinfo: these bytes and no others."""
    return b"".join(b"\\%03o" % byte if byte in ESCAPED else bytes([byte]) for byte in name)


def table(folder: pytest.TempPathFactory, content: bytes, name: str = "table") -> Path:
    path = folder.getbasetemp() / name
    path.write_bytes(content)
    return path


@given(names, names)
@example(b"a\xe2\x80\xa8b", b"\xff")
@example(b"a\x0b - b", b"a\x85b")
def test_a_mount_of_anybody_hides_no_other(
    tmp_path_factory: pytest.TempPathFactory, name: bytes, source: bytes
) -> None:
    theirs = b"40 1 0:50 / /media/x/%s rw shared:2 - fuse %s rw\n" % tuple(map(as_the_kernel_writes, (name, source)))
    found = mounts(table(tmp_path_factory, theirs + OURS_MOUNTED))
    directory = (b"/media/x/" + name).decode(errors="surrogateescape")
    assert found == (
        Mount("0:50", directory, "fuse", source.decode(errors="surrogateescape"), read_only=False),
        Mount("8:1", "/srv/volume", "ext4", "/dev/md/volume", read_only=False),
    )


@given(names)
@example(b"a\xe2\x80\xa8b")
@example(b"\xff")
def test_a_mount_of_anybody_keeps_no_disk_in_use(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    disk = tmp_path_factory.getbasetemp() / "etherd!e1.0"
    (disk / "holders").mkdir(parents=True, exist_ok=True)
    (disk / "inflight").write_text("0 0\n")
    (disk / "dev").write_text("152:16\n")
    theirs = b"40 1 0:50 / /media/x/%s rw shared:2 - fuse x rw\n" % as_the_kernel_writes(name)
    listed = table(tmp_path_factory, theirs + OURS_MOUNTED)
    assert unfinished_writes("e1.0", disk.parent, listed) == ""
    listed = table(tmp_path_factory, theirs + b"36 1 152:16 / /srv/volume rw - ext4 /dev/etherd/e1.0 rw\n")
    assert unfinished_writes("e1.0", disk.parent, listed) == "etherd/e1.0 is mounted"


@given(damaged_text([EXAMINE]))
@example(EXAMINE.replace("18", "\u00b2"))
def test_a_superblock_is_read_whole_or_not_at_all(text: str) -> None:
    for leg, found in parse_examine(text).items():
        assert found.leg == leg
        assert found.array_uuid
        assert found.events >= 0
        assert found.role is None or found.role >= 0


def test_the_superblocks_of_the_corpus_are_read() -> None:
    found = parse_examine(EXAMINE)
    assert {leg: (each.events, each.role, each.recovering) for leg, each in found.items()} == {
        "/dev/etherd/e1.0": (18, 0, False),
        "/dev/etherd/e2.0": (17, 1, True),
    }


@given(st.sampled_from([4, 6]), st.binary(max_size=80), st.integers(0, 0xFFFF))
def test_any_packet_is_a_reply_to_our_mark_or_none(version: int, packet: bytes, mark: int) -> None:
    assert not is_reply(version, packet, mark) or mark.to_bytes(2) in packet


def test_the_replies_of_the_corpus_are_replies() -> None:
    assert is_reply(6, bytes.fromhex("81000000abcd0001"), 0xABCD)
    assert is_reply(4, b"\x45" + bytes(19) + bytes.fromhex("00000000abcd0001"), 0xABCD)
    assert not is_reply(6, bytes.fromhex("81000000abce0001"), 0xABCD)


@given(damaged([b"02000000000a:0:16:4\n02000000000b:0:16:4\n", b"02000000000a", b"up", b"down,closewait", STAT]))
def test_whatever_the_driver_shows_of_a_disk_is_an_answer(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    disk = tmp_path_factory.getbasetemp() / "block" / "etherd!e1.0"
    disk.mkdir(parents=True, exist_ok=True)
    for name in ("state", "size", "stat", "mac", "dev"):
        (disk / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aoe_driver, "_BLOCK", disk.parent)
        patched.setattr(aoe_driver, "_DEBUG", disk)
        assert all(len(address) == 17 for address in aoe_driver.addresses_of("mac"))
        assert min(aoe_driver.progress_of("e1.0")) >= 0
        aoe_driver.is_up("e1.0")


@given(damaged([b"active", b"2", b"idle", b"none", b"1.2", b"32", b"in_sync,write_mostly", b"faulty"]))
def test_whatever_md_shows_of_an_array_is_a_state_or_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "arrays" / "md127" / "md"
    (folder / "dev-etherd!e1.0" / "block").mkdir(parents=True, exist_ok=True)
    of_array = ("array_state", "raid_disks", "sync_action", "resync_start", "metadata_version")
    for name in (*of_array, *(f"dev-etherd!e1.0/{each}" for each in ("state", "offset", "block/size"))):
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(md_sysfs, "_BLOCK", folder.parents[1])
        found = md_sysfs.array_state("md127")
        assert found is None or set(found.working) <= set(found.members) == {"etherd!e1.0"}
        md_sysfs.has_room_before_data("md127", "etherd!e1.0")


@given(damaged([TCP]))
def test_a_clients_connection_is_read_right_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tickle, "TABLES", (table(tmp_path_factory, content),))
        try:
            found = tickle.established(2_049)
        except ValueError:
            return
    assert all(0 < each.client_port < 65_536 for each in found)


def test_the_connection_of_the_corpus_is_read(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_bytes(TCP)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tickle, "TABLES", (tmp_path / "tcp",))
        assert tickle.established(2_049) == (tickle.Connection("11.1.77.10", 2_049, "10.1.77.11", 999),)


def test_who_uses_a_directory_is_found_whatever_it_calls_itself(tmp_path: Path) -> None:
    rename = r"import sys; open('/proc/self/comm', 'wb').write(b'\xff\xe2'); print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", rename], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert list(users_of(str(tmp_path))) == [child.pid]
    finally:
        child.communicate()
