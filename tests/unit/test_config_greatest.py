"""The greatest file that `aoeha check` accepts starts a core, and its beats and records fit."""

import re
from pathlib import Path

from aoeha.config.lint_limits import FENCES_MAX, GROUPS_MAX, LINKS_MAX, PORTS_MAX, RESOURCES_MAX
from aoeha.config.load import inspect, load
from aoeha.config.view import pair_config
from aoeha.core.model.actions import Persist, SendBeat
from aoeha.core.model.config import Identity
from aoeha.core.model.events import Tick
from aoeha.core.model.memory import Memory
from aoeha.core.step import initial, next_wake, step
from aoeha.wire.codec import NONCE_SIZE, SERIAL_LIMIT, UDP_LIMIT, VERSION
from aoeha.wire.keys import KEY_TAGS_MAX, Key, key_tags
from aoeha.wire.sender import Sender

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"
KEYS = tuple(Key(number, b"k" * 32) for number in range(1, KEY_TAGS_MAX + 2))
LONG = "x" * 29
"""With three letters more the longest name."""


def greatest(*, links: int = LINKS_MAX, fences: int = FENCES_MAX, groups: int = GROUPS_MAX, beyond: int = 0) -> str:
    """Return a file with so many tables, all with the longest names. `beyond`: resources above their number."""
    text = re.sub(
        r'cluster = "\w+"', f'cluster = "{LONG}clu"', EXAMPLE.read_text()[: EXAMPLE.read_text().index("[[node]]")]
    )
    for number, node in enumerate(("alpha", "beta")):
        ports = ", ".join(f'eth{port} = "02:77:00:00:{number:02x}:{port:02x}"' for port in range(PORTS_MAX))
        text += f'[[node]]\nname = "{node}"\nstorage = {{ {ports} }}\n'
    text += f'[[link]]\nname = "{LONG}ser"\ntype = "serial"\ndevice = "/dev/ttyS0"\n'
    for link in range(links - 1):
        text += f'[[link]]\nname = "{LONG}l{link:02}"\ntype = "udp"\ninterface = "eth0"\nport = {700 + link}\n'
        text += 'address = { alpha = "10.77.1.11", beta = "10.77.1.12" }\n'
    for fence in range(fences):
        text += f'[[fence]]\nname = "{LONG}f{fence:02}"\ntype = "rack_power"\nplug = {{ alpha = "a", beta = "b" }}\n'
        text += f'parameters = {{ address = "10.77.1.{fence + 1}" }}\n'
    left = RESOURCES_MAX + beyond
    for group in range(groups):
        shelves = ", ".join(f'"e{2 * group}.0", "e{2 * group + 1}.0"'.split(", "))
        text += f'[[group]]\nname = "{LONG}g{group:02}"\npreferred = "alpha"\n'
        for leg in (2 * group, 2 * group + 1):
            addresses = ", ".join(f'"02:78:00:00:{leg:02x}:{port:02x}"' for port in range(PORTS_MAX))
            text += f'[[group.leg]]\nname = "e{leg}.0"\naddress = [{addresses}]\n'
        text += '[[group.resource]]\nname = "shelves"\ntype = "aoe"\nparameters = { '
        text += f'interfaces = ["eth{group}"], targets = [{shelves}], deadsecs = 3600 }}\n'
        text += '[[group.resource]]\nname = "mirror"\ntype = "raid"\nparameters = { '
        text += f'device = "/dev/md/{group}", uuid = "a0e4a000:00000000:00000000:{group:08x}", '
        text += f'legs = ["/dev/etherd/e{2 * group}.0", "/dev/etherd/e{2 * group + 1}.0"] }}\n'
        more = left - 2 * (groups - group) if group == groups - 1 else RESOURCES_MAX // groups - 2
        left -= 2 + more
        for resource in range(more):
            text += f'[[group.resource]]\nname = "{LONG}r{resource:02}"\ntype = "address"\nparameters = {{ '
            text += f'address = "10.78.{group}.{resource + 1}/24", interface = "eth0" }}\n'
    return text


def refusals(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "aoeha.toml"
    file.write_text(text)
    return [str(finding.sentence) for finding in inspect(file).findings if not finding.warning]


def test_the_greatest_file_starts_a_core_whose_beats_fit_on_every_link(tmp_path: Path) -> None:
    assert refusals(tmp_path, greatest()) == []
    config = pair_config(load(tmp_path / "aoeha.toml"), "alpha")
    assert sum(len(group.resources) for group in config.groups) == RESOURCES_MAX
    memory: Memory | None = None
    for incarnation in (1, 2):  # A daemon without a memory, and its successor on the same boot.
        state, actions = initial(config, Identity("a" * 32, incarnation), memory, 0)
        sender = Sender(
            config.cluster,
            lambda: KEYS[0],
            lambda: (b"n" * NONCE_SIZE, b"p" * NONCE_SIZE),
            lambda: VERSION,
            held=key_tags(KEYS),
        )
        beats = 0
        for _ in range(200):
            for action in actions:
                if isinstance(action, SendBeat):
                    beats += 1
                    assert len(sender.pack(action.beat, SERIAL_LIMIT)) <= SERIAL_LIMIT
                    assert len(sender.pack(action.beat, UDP_LIMIT)) <= UDP_LIMIT
                if isinstance(action, Persist):
                    memory = action.memory
            state, actions = step(state, Tick(max(next_wake(state), state.now_ms + 1)))
        assert beats > 10
    assert memory is not None


def test_one_more_of_anything_is_refused(tmp_path: Path) -> None:
    for text, what in (
        (greatest(links=LINKS_MAX + 1), "[[link]] tables"),
        (greatest(fences=FENCES_MAX + 1), "[[fence]] tables"),
        (greatest(groups=GROUPS_MAX + 1), "[[group]] tables"),
        (greatest(beyond=1), "[[group.resource]] tables in the file"),
    ):
        assert any(f"{what}, got" in found for found in refusals(tmp_path, text)), what
