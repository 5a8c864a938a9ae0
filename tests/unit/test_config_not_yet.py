"""What README says that aoeha does not do yet, `aoeha check` refuses wherever a file can ask for it."""

import re
from pathlib import Path

import pytest

from aoeha.config.agent_parameters import agent_findings
from aoeha.config.load import inspect

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "etc" / "aoeha.toml").read_text()
RESOURCE = '\n[[group.resource]]\nname = "more"\ntype = "{}"\n[group.resource.parameters]\n{}\n'
MIRROR = 'device = "/dev/md/b"\nuuid = "a0e4a000:00000000:00000000:00000002"\nlegs = ["/dev/sdb", "/dev/sdc"]'
NOT_YET: dict[str, tuple[str, ...]] = {
    "By default it does not trust a storage fence alone.": (),
    "It cannot tell an older copy of a half that is younger than two renewals.": (),
    "It cannot always tell a second machine that uses a gateway's name": (),
    "One mirror in each group": (
        EXAMPLE + RESOURCE.format("raid", MIRROR),
        EXAMPLE.replace('"/dev/etherd/e2.0"]', '"/dev/etherd/e2.0", "/dev/etherd/e3.0"]'),
    ),
    "It does not insist that both gateways have the same configuration.": (),
    "It cannot change keys while every link is cut.": (),
    "It notifies nobody.": (f'[notify]\nprogram = "/bin/true"\n{EXAMPLE}', f'{EXAMPLE}\n[mail]\nto = "root"\n'),
    "It has no NFSv3, no CIFS, no LVM and no web page.": (
        EXAMPLE.replace('lease = "10s"', 'lease = "10s"\nversions = ["3"]'),
        EXAMPLE + RESOURCE.format("cifs", ""),
        EXAMPLE + RESOURCE.format("lvm", ""),
        f"{EXAMPLE}\n[web]\nport = 80\n",
    ),
    "No package.": (),
}
"""Each entry of README's list, and files that ask for it. Where no file can, there are none."""


def test_every_entry_of_the_list_is_here() -> None:
    section = (ROOT / "README.md").read_text().partition("## What it does not do yet")[2].partition("\n## ")[0]
    entries = [" ".join(words.split()) for words in re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE | re.DOTALL)]
    assert entries == list(NOT_YET)


@pytest.mark.parametrize("text", [text for texts in NOT_YET.values() for text in texts])
def test_a_file_that_asks_for_it_is_refused(tmp_path: Path, text: str) -> None:
    assert text != EXAMPLE
    file = tmp_path / "aoeha.toml"
    file.write_text(text)
    inspection = inspect(file)
    found = [finding.sentence for finding in inspection.findings if not finding.warning]
    if inspection.draft is not None:
        found += [finding.sentence for finding in agent_findings(inspection.draft) if not finding.warning]
    assert found
