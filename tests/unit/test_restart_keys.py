"""What a daemon says of the key file that its successor will read."""

from pathlib import Path

import pytest
from wire_samples import BOOTS, KEY, OTHER_KEY, Gateway

from aoeha.config.load import load
from aoeha.config.view import pair_config
from aoeha.daemon.assembly import Blueprint
from aoeha.daemon.restart_state import RestartState
from aoeha.wire.keys import Key

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"
OLD, NEW = KEY, OTHER_KEY


def write_keys(file: Path, *keys: Key) -> None:
    file.write_text("".join(f"{key.id} {key.secret.hex()}\n" for key in keys))
    file.chmod(0o600)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_keys(tmp_path / "keys", OLD, NEW)
    return tmp_path / "keys"


@pytest.fixture
def state(key_file: Path) -> RestartState:
    """That of alpha, which has met beta: both have the old key and the new one, and the old one signs."""
    alpha, beta = (Gateway(name, boot, keys=(OLD, NEW)) for name, boot in zip(("alpha", "beta"), BOOTS, strict=False))
    for _ in range(4):
        beta.hears(alpha.send())
        alpha.hears(beta.send())
    (key_file.parent / "aoeha.toml").write_text(EXAMPLE.read_text().replace("/etc/aoeha/keys", str(key_file)))
    configuration = load(str(key_file.parent / "aoeha.toml"))
    blueprint = Blueprint(configuration, pair_config(configuration, "alpha"), (OLD, NEW))
    return RestartState(blueprint, alpha.receiver, str(key_file.parent))


def test_a_peer_that_is_heard_tells_which_keys_will_do(state: RestartState, key_file: Path) -> None:
    write_keys(key_file, NEW)
    assert not state.look_at_keys(is_heard=True)


def test_a_peer_that_lives_unheard_reads_what_the_key_of_now_signs(state: RestartState, key_file: Path) -> None:
    write_keys(key_file, NEW)
    assert str(key_file) in state.look_at_keys(is_heard=False)
    write_keys(key_file, NEW, OLD)
    assert not state.look_at_keys(is_heard=False)
