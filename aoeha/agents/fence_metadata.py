"""What a fence_* program says about itself: its options and actions, as XML by fence-agents' metadata.rng.

Metadata of our agents is written from their parameters' types; metadata of any agent is read. So one text describes
them all, and one check tells which values of aoeha.toml a program takes. Programs themselves ignore options that they
do not know.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from aoeha.agents.secret_file import SecretFile

__all__ = ["SET_BY_AOEHA", "FenceAction", "FenceMetadata", "FenceOption", "Value", "is_secret", "read_metadata"]

Value = bool | str | int | float | SecretFile

SET_BY_AOEHA = ("action", "option", "plug", "port", "nodename")
"""Options that the caller gives with each order. `port` may still be a device's own, where it has another `plug`."""

_SECRET_NAME = re.compile(r"passw|secret|token|community|api_?key|hexadecimal_kg", re.IGNORECASE)
_NO_SECRET_NAME = re.compile(r"(_script|_file|_path|_timeout)$")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_TRUTHS = ("1", "0", "true", "false", "yes", "no", "on", "off")


def is_secret(name: str) -> bool:
    """Tell by its name whether an option is a password or as good as one, like an SNMP community."""
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


@dataclass(frozen=True, slots=True)
class FenceOption:
    """One option. `content` is boolean, string, second, integer or select, which knows `choices`.

    `default` is None where there is none. `obsoletes` is the old word for the same thing.
    """

    name: str
    content: str = "string"
    required: bool = False
    default: str | None = None
    text: str = ""
    choices: tuple[str, ...] = ()
    deprecated: bool = False
    obsoletes: str = ""

    @property
    def expected(self) -> str:
        """What it takes, for people."""
        if is_secret(self.name):
            return 'a secret, { file = "/path" }'
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return {"boolean": "true or false", "integer": "a whole number", "second": "a number of seconds"}.get(
            self.content, "text"
        )

    def misfit(self, value: Value) -> str:
        """Return why this option cannot be that value, empty when it can."""
        if isinstance(value, SecretFile):
            return ""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        match self.content:
            case "boolean":
                good = isinstance(value, bool) or text in _TRUTHS
            case "integer" | "second":
                good = bool(_WHOLE.fullmatch(text))
            case "select":
                good = not self.choices or text in self.choices
            case _:
                good = True
        return "" if good else f"expected {self.expected}, got {value!r}"


@dataclass(frozen=True, slots=True)
class FenceAction:
    """One action. `on_target`: it must run on the node that is meant; `automatic`: whenever that node joins."""

    name: str
    on_target: bool = False
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class FenceMetadata:
    """A program's whole description."""

    name: str
    summary: str
    text: str
    options: tuple[FenceOption, ...]
    actions: tuple[FenceAction, ...]
    vendor_url: str = ""

    @property
    def takes_plugs_as_addresses(self) -> bool:
        """Whether its device has no plugs, so that it takes one as an address, and that only with port_as_ip."""
        plugs = [option for option in self.options if option.name in ("plug", "port")]
        return any("port-as-ip" in option.text.replace("_", "-") for option in plugs)

    def lacks(self, actions: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the actions that it cannot do."""
        known = {action.name for action in self.actions}
        return tuple(action for action in actions if action not in known)

    def misfits(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """Return what is wrong with these options, one sentence each, the key first, with the remedy."""
        by_name = {option.name: option for option in self.options}
        findings = [
            f"{name}: {why}"
            for name, value in values.items()
            if (why := by_name[name].misfit(value) if name in by_name else self._unknown(name))
        ]
        for option in self.options:
            given = {option.name, option.obsoletes, *self._successors(option.name)}
            if option.required and not option.deprecated and not given & {*values, *SET_BY_AOEHA}:
                findings.append(f"{option.name}: {self.name} requires this option: {option.expected}; {option.text}")
        return tuple(findings)

    def outdated(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """Return which of these options have a newer word, one sentence each, the key first."""
        by_name = {option.name: option for option in self.options if option.deprecated}
        return tuple(
            f"{name}: the program calls this {' or '.join(self._successors(name)) or 'deprecated'} now"
            for name in values
            if name in by_name
        )

    def to_xml(self) -> str:
        """Return it as fence-agents' metadata.rng wants it."""
        root = ET.Element("resource-agent", name=self.name, shortdesc=self.summary)
        ET.SubElement(root, "longdesc").text = self.text
        ET.SubElement(root, "vendor-url").text = self.vendor_url
        parameters = ET.SubElement(root, "parameters")
        for option in self.options:
            _write(parameters, option)
        actions = ET.SubElement(root, "actions")
        for action in self.actions:
            element = ET.SubElement(actions, "action", name=action.name)
            if action.on_target:
                element.set("on_target", "1")
            if action.automatic:
                element.set("automatic", "1")
        ET.indent(root, "\t")
        return f'<?xml version="1.0" ?>\n{ET.tostring(root, encoding="unicode")}\n'

    def _unknown(self, name: str) -> str:
        known = [option.name for option in self.options if option.name not in SET_BY_AOEHA and not option.deprecated]
        guess = difflib.get_close_matches(name.replace("-", "_"), known, n=1, cutoff=0.6)
        mend = f"did you mean {guess[0]!r}?" if guess else f"`aoeha agents fence {self.name}` lists them"
        return f"{self.name} has no such option and would ignore it; {mend}"

    def _successors(self, name: str) -> tuple[str, ...]:
        return tuple(option.name for option in self.options if option.obsoletes == name)


def _write(parameters: ET.Element, option: FenceOption) -> None:
    parameter = ET.SubElement(parameters, "parameter", name=option.name, unique="0", required=str(int(option.required)))
    if option.deprecated:
        parameter.set("deprecated", "1")
    if option.obsoletes:
        parameter.set("obsoletes", option.obsoletes)
    word = option.name.replace("_", "-")
    ET.SubElement(parameter, "getopt", mixed=f"--{word}" + ("" if option.content == "boolean" else f"=[{word}]"))
    content = ET.SubElement(parameter, "content", type=option.content)
    if option.default is not None:
        content.set("default", option.default)
    for choice in option.choices:
        ET.SubElement(content, "option", value=choice)
    ET.SubElement(parameter, "shortdesc", lang="en").text = option.text


def read_metadata(text: str) -> FenceMetadata:
    """Parse a program's description. ValueError with a sentence when it is none."""
    try:
        root = ET.fromstring(text.strip())  # noqa: S314  # written by programs of this machine that run as root
    except ET.ParseError as fault:
        raise ValueError(f"it is no XML: {fault}") from None
    if root.tag != "resource-agent":
        raise ValueError(f"it describes no agent, but <{root.tag}>")
    return FenceMetadata(
        name=root.get("name", ""),
        summary=_words(root.get("shortdesc")),
        text=_words(root.findtext("longdesc")),
        options=tuple(_read(parameter) for parameter in root.iterfind("parameters/parameter")),
        actions=tuple(
            FenceAction(action.get("name", ""), action.get("on_target") == "1", action.get("automatic") == "1")
            for action in root.iterfind("actions/action")
        ),
        vendor_url=_words(root.findtext("vendor-url")),
    )


def _read(parameter: ET.Element) -> FenceOption:
    content = parameter.find("content")
    found = content if content is not None else ET.Element("content")
    return FenceOption(
        name=parameter.get("name", ""),
        content=found.get("type", "string"),
        required=parameter.get("required") == "1",
        default=found.get("default"),
        text=_words(parameter.findtext("shortdesc")),
        choices=tuple(option.get("value", "") for option in found.iterfind("option")),
        deprecated=parameter.get("deprecated") == "1",
        obsoletes=parameter.get("obsoletes", ""),
    )


def _words(text: str | None) -> str:
    return " ".join((text or "").split())
