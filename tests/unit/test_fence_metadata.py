"""What a fence program says of itself, and which options of aoeha.toml it takes."""

import pytest

from aoeha.agents.fence_metadata import FenceAction, FenceMetadata, FenceOption, is_secret, read_metadata
from aoeha.agents.secret_file import SecretFile

SWITCH = FenceMetadata(
    name="fence_switch",
    summary="A switch",
    text="Switches.",
    options=(
        FenceOption("action", required=True),
        FenceOption("ip", required=True, text="where it is", obsoletes="ipaddr"),
        FenceOption("ipaddr", required=True, deprecated=True),
        FenceOption("ipport", "integer", default="161"),
        FenceOption("login_timeout", "second", default="5"),
        FenceOption("password", obsoletes="passwd"),
        FenceOption("passwd", deprecated=True),
        FenceOption("plug", required=True, obsoletes="port"),
        FenceOption("port", required=True, deprecated=True),
        FenceOption("snmp_version", "select", choices=("1", "2c", "3")),
        FenceOption("ssl", "boolean"),
    ),
    actions=(FenceAction("on", on_target=True, automatic=True), FenceAction("off"), FenceAction("status")),
)
GOOD = {"ip": "192.0.2.7", "ipport": 161, "login_timeout": "5", "snmp_version": "2c", "ssl": True}


def test_what_is_written_is_read_again() -> None:
    assert read_metadata(SWITCH.to_xml()) == SWITCH


def test_good_options_are_taken() -> None:
    assert SWITCH.misfits(GOOD | {"password": SecretFile("/etc/aoeha/password")}) == ()
    assert SWITCH.misfits({"ipaddr": "192.0.2.7", "snmp_version": 1, "ssl": "yes"}) == ()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ipport", "many", "expected a whole number, got 'many'"),
        ("ipport", 1.5, "expected a whole number, got 1.5"),
        ("ipport", True, "expected a whole number, got True"),
        ("login_timeout", "5s", "expected a number of seconds, got '5s'"),
        ("snmp_version", "2", "expected one of 1, 2c, 3, got '2'"),
        ("ssl", "perhaps", "expected true or false, got 'perhaps'"),
        ("ssl", 2, "expected true or false, got 2"),
        ("iport", 161, "fence_switch has no such option and would ignore it; did you mean 'ipport'?"),
        (
            "colour",
            "red",
            "fence_switch has no such option and would ignore it; `aoeha agents fence fence_switch` lists",
        ),
    ],
)
def test_misfit_is_said_with_key_and_mend(key: str, value: str | float, expected: str) -> None:
    (finding,) = SWITCH.misfits(GOOD | {key: value})
    assert finding.startswith(f"{key}: {expected}")


def test_missing_option_is_missed_once_by_its_new_name_and_plugs_are_not_asked_for() -> None:
    (finding,) = SWITCH.misfits({})
    assert finding == "ip: fence_switch requires this option: text; where it is"


def test_old_words_are_named_with_the_new_ones() -> None:
    assert SWITCH.outdated(GOOD | {"ipaddr": "192.0.2.7"}) == ("ipaddr: the program calls this ip now",)
    assert SWITCH.outdated(GOOD) == ()


def test_lacking_actions_are_named() -> None:
    assert SWITCH.lacks(("on", "off", "monitor")) == ("monitor",)


@pytest.mark.parametrize(
    "name", ["password", "passwd", "snmp_priv_passwd", "community", "token", "api_key", "hexadecimal_kg"]
)
def test_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["passwd_script", "password_script", "ip", "username", "token_file", "ipmitool_path"])
def test_what_only_leads_to_a_secret_is_none(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("text", ["", "usage: fence_switch", "<html></html>", "<resource-agent"])
def test_text_that_describes_no_agent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no XML|no agent"):
        read_metadata(text)


def test_blank_lines_around_it_are_no_matter() -> None:
    assert read_metadata(f"\n\n{SWITCH.to_xml()}\n").name == "fence_switch"
