"""What no program can see of a fence device: the list that a person goes through once, for each kind of plug."""

__all__ = ["checklist"]

EVERY = (
    "No UPS between the plug and the gateway: it would run on while the plug is off.",
    "Everything that feeds the gateway hangs on plugs named here; two supplies: two devices on one level.",
    "Each plug is the right gateway's: aoeha fence verify NODE, with NODE in standby, once from each gateway.",
)
KINDS: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (
        ("mqtt", "tasmota", "shelly", "zigbee"),
        "MQTT plug",
        (
            "After a mains failure the plug comes back as it was (Tasmota: PowerOnState 3; Shelly: restore last).",
            "Nobody has left a retained command at its topic: the broker would repeat it at every connect.",
            "No timer, rule, schedule or automatic-off in the plug, and no automation that switches it.",
            "Broker and access point run on neither gateway, and on no plug that is switched here.",
            "The plug carries the gateway's start-up current, with some to spare.",
        ),
    ),
    (
        ("ipmi", "ilo", "drac", "redfish", "cimc", "imm"),
        "management controller",
        (
            "It lives on its gateway's mains: another level with power of its own stands behind it.",
            "It has a network port of its own, not one shared with the gateway's beats.",
            "The firmware's power restore policy is the last state, so that a gateway that was left off stays off.",
            "Off means off at once: the operating system gets no chance to shut down in order (HandlePowerKey=ignore).",
            "Its user may switch power and nothing else, and the password is the same one after a firmware update.",
        ),
    ),
    (
        ("serial", "rps", "apcsmart", "wti"),
        "switch on a serial line",
        (
            "The line leads from the gateway that switches to the box that feeds the other one, and nothing shares it.",
            "A USB adapter is named by its path below /dev/serial/by-path, and hangs on no hub that is switched.",
            "After a mains failure the outlets come back on (or as they were), not off.",
        ),
    ),
    (
        ("apc", "pdu", "snmp", "eaton", "raritan", "eps", "rack_power", "sentry", "vertiv"),
        "switched power strip",
        (
            "After a mains failure its outlets come back as they were, without a delay of minutes.",
            "Its own network port hangs on a switch that no gateway feeds; its address is fixed, not by DHCP.",
            "Its user may switch exactly the gateways' outlets, and no forgotten session locks others out.",
        ),
    ),
)


def checklist(kind: str) -> tuple[str, tuple[str, ...]]:
    """Return the family of a device type like "external:fence_ipmilan", and what a person must verify for it."""
    for words, family, entries in KINDS:
        if any(word in kind.lower() for word in words):
            return family, (*entries, *EVERY)
    return "other device", EVERY
