"""`make readme`: README's installation, line by line as it is printed, in a bare Debian 12.

The root is made by debootstrap in the folder README_ROOT (default /var/tmp/aoeha-readme) and kept for the next time.
Each run copies it, so that nothing of an earlier installation is left. No systemd runs there and no shelf answers: the
lines that need one are expected to say so, with the exit code in EXPECTED.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MIRROR = "http://deb.debian.org/debian"
INSTALLED_EVERYWHERE = (
    "systemd,systemd-sysv,udev,dbus,init,iproute2,initramfs-tools,lvm2,openssh-client,ifupdown,cron,less,kmod,e2fsprogs"
)
"""What Debian's installer leaves on every machine, beyond debootstrap's minbase."""
AS_ROOT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
SKIPPED = ("etc/make-storage.sh",)
"""Needs two shelves, and the kernel's driver. The drills run it."""
EXPECTED = {
    "systemctl": {1},  # it links or unlinks the unit, and then finds no systemd
    "aoeha check --host": {0, 1},
    "aoeha aoe discover": {1},
    "aoeha status": {7},
    "aoeha switchover": {7},
    "aoeha fence test": {7},
}
"""Exit codes of lines that find something in this root, by their beginning; every other line must exit with 0."""


def blocks(page: str) -> list[str]:
    """Return the indented blocks below "A real pair", each with its lines as a reader copies them."""
    chapter = page.split("\n## A real pair", 1)[1].split("\n## ", 1)[0]
    return [
        re.sub(r"^    ", "", block, flags=re.MULTILINE)
        for block in re.findall(r"(?:^    .*\n)+", chapter, re.MULTILINE)
    ]


def run(*argv: str) -> None:
    subprocess.run(argv, check=True)


def bare_root(folder: Path) -> Path:
    """Return a fresh copy of the bare Debian 12 in `folder`, which is made first if it is not there."""
    base, root = folder / "base", folder / "root"
    if not (base / "made").exists():
        run("debootstrap", "--variant=minbase", f"--include={INSTALLED_EVERYWHERE}", "bookworm", str(base), MIRROR)
        subprocess.run(["umount", "--recursive", str(base / "proc")], check=False, stderr=subprocess.DEVNULL)
        (base / "made").touch()
    if root.exists():
        shutil.rmtree(root)
    run("cp", "--archive", "--one-file-system", str(base), str(root))
    (root / "etc/hostname").write_text("alpha\n")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/apt/apt.conf.d/yes").write_text('APT::Get::Assume-Yes "true";\n')  # a reader types it when apt asks
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    run("git", "clone", "--quiet", "--bare", str(CHECKOUT), str(root / "srv/aoeha.git"))
    return root


def script_of(lines: list[str]) -> str:
    """Return a shell script that types each line and says with which code it ended."""
    text = ""
    for line in lines:
        typed = line.replace("URL-OF-THIS-REPOSITORY", "/srv/aoeha.git")
        if typed and not typed.startswith(SKIPPED):
            text += f"echo; echo '# {typed}'\n{typed}\necho \"= $? {typed.split('#')[0].strip()}\"\n"
    return text


def unexpected(output: str) -> list[str]:
    """Return each line that ended otherwise than EXPECTED says."""
    wrong = []
    for code, line in re.findall(r"^= (\d+) (.*)$", output, re.MULTILINE):
        beginning = max((begin for begin in EXPECTED if line.startswith(begin)), key=len, default="")
        if int(code) not in EXPECTED.get(beginning, {0}):
            wrong.append(f"exit code {code}: {line}")
    return wrong


def main() -> int:
    root = bare_root(Path(os.environ.get("README_ROOT") or "/var/tmp/aoeha-readme"))
    installing, *later = blocks((CHECKOUT / "README.md").read_text())
    (root / "root/first.sh").write_text(script_of(installing.splitlines()))
    alone = "ip link add eth1 type veth peer name shelf\nip link set shelf up mtu 9000\ncd /opt/aoeha/source\n"
    (root / "root/later.sh").write_text(alone + script_of("".join(later).splitlines()))
    inside = (
        f"mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && "
        f"chroot {root} bash /root/first.sh && exec unshare --net chroot {root} bash /root/later.sh"
    )
    passed = {}
    if "PIP_CERT" in os.environ:  # a network that opens TLS has an authority of its own
        shutil.copy(os.environ["PIP_CERT"], root / "root/authorities.crt")
        passed = {"PIP_CERT": "/root/authorities.crt"}
    with subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "bash", "-c", inside],
        env=AS_ROOT | passed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as typing:
        assert typing.stdout
        output = ""
        for line in typing.stdout:
            output += line
            sys.stdout.write(line)
    wrong = unexpected(output)
    units = root / "etc/systemd/system/multi-user.target.wants"
    if not (units / "aoeha.service").is_symlink() or (units / "nfs-server.service").is_symlink():
        wrong.append("aoeha is not enabled, or nfs-server is")
    sys.stdout.write("".join(f"README: {line}\n" for line in wrong) or "README: each line did what it should\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
