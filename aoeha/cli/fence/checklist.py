"""What no program can see of a fence device: the list that a person goes through once, for each kind of plug.

Sources: Tasmota's Commands.md (SetOption21 0, the default: no metering while the relay is off; PowerOnState 3: as it
was), Zigbee2MQTT's device-availability.md (availability is off by default) and its settingsMigration.ts (since version
2 an object with `enabled`), APC's UPS-Link specification, the manuals of the other families.
"""

from collections.abc import Mapping

__all__ = ["checklist"]

CORDS = (
    "Everything that feeds the gateway hangs on plugs named here; two supplies: two devices on one level.",
    "Each plug is the right gateway's: aoeha fence verify NODE, with NODE in standby, once from each gateway.",
)
EVERY = ("No UPS between the plug and the gateway: it would run on while the plug is off.", *CORDS)

MQTT = (
    "Plug, access point or radio stick, broker and the switches between them hang on a UPS that feeds no gateway.",
    "Nobody has left a retained command at its topic: the broker would repeat it at every connect.",
    "No timer, rule, schedule or automatic-off in the plug, and no automation that switches it.",
    "Broker and access point run on neither gateway, and on no plug that is switched here.",
    "The plug carries the gateway's start-up current, with some to spare.",
)
FIRMWARES = {
    "tasmota": (
        "Tasmota: PowerOnState 3, so that after a mains failure the plug comes back as it was.",
        "Tasmota: SetOption21 1, or the meter reads nothing while the relay is off and proves nothing.",
        "Tasmota: PulseTime 0.",
    ),
    "shelly": (
        "Shelly: initial_state restore_last, so that after a mains failure the plug comes back as it was.",
        "Shelly: auto_on and auto_off are off, and the MQTT session is a clean one.",
    ),
    "zigbee2mqtt": (
        "Zigbee2MQTT: power_on_behavior (or power_outage_memory) is the last state.",
        "Zigbee2MQTT: availability: true (since version 2: availability: {enabled: true}); by default it is not told.",
        "Zigbee2MQTT: no debounce or throttle on the plug; cache_state: false where nothing else needs it.",
    ),
}
CONTROLLER = (
    "It lives on its gateway's mains: another level with power of its own stands behind it.",
    "It has a network port of its own, not one shared with the gateway's beats.",
    "The firmware's power restore policy is the last state, so that a gateway that was left off stays off.",
    "Off means off at once: the operating system gets no chance to shut down in order (HandlePowerKey=ignore).",
    "Its user may switch power and nothing else, and the password is the same one after a firmware update.",
)
LINE = (
    "The line leads from the gateway that switches to the box that feeds the other one, and nothing shares it.",
    "A USB adapter is named by its path below /dev/serial/by-path, and hangs on no hub that is switched.",
)
SERIAL = (*LINE, "After a mains failure the outlets come back on (or as they were), not off.")
UPS = (
    *LINE,
    "Each gateway has a UPS of its own, and nothing else that must stay up hangs on it: no switch, no shelf.",
    "The cable is APC's own (940-0024C): an ordinary one can switch the load off by itself.",
    'The model switches on again by command; one that must be woken by hand needs after_fence = "off".',
    "Another level stands behind it: on battery it may go dark together with its load, and then tells nothing.",
)
STRIP = (
    "After a mains failure its outlets come back as they were, without a delay of minutes.",
    "It and the switch at its network port hang on a UPS: in a power cut somebody must still answer.",
    "Its own network port hangs on a switch that no gateway feeds; its address is fixed, not by DHCP.",
    "Its user may switch exactly the gateways' outlets, and no forgotten session locks others out.",
)
STRIP_WORDS = ("wti", "apc", "pdu", "snmp", "eaton", "raritan", "eps", "rack_power", "sentry", "vertiv")
CONTROLLER_WORDS = ("ipmi", "ilo", "drac", "redfish", "cimc", "imm")


def checklist(kind: str, parameters: Mapping[str, object] | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the family of a device type like "external:fence_ipmilan", and what a person must verify for it.

    `parameters` tell what the type leaves open: the plugs' firmware, a line or a network.
    """
    given, words = parameters or {}, kind.lower()
    if "mqtt" in words or any(firmware in words for firmware in FIRMWARES):
        firmware = str(given.get("family", ""))
        settings = FIRMWARES.get(firmware) or tuple(entry for entries in FIRMWARES.values() for entry in entries)
        return f"MQTT plug{f' ({firmware})' if firmware else ''}", (*settings, *MQTT, *EVERY)
    if given.get("protocol") == "apcsmart" or "apcsmart" in words:
        return "UPS on a serial line", (*UPS, *CORDS)
    if "serial" in words or "rps" in words or (words == "wti" and "device" in given):
        return "switch on a serial line", (*SERIAL, *EVERY)
    if any(word in words for word in CONTROLLER_WORDS):
        return "management controller", (*CONTROLLER, *EVERY)
    if any(word in words for word in STRIP_WORDS):
        return "switched power strip", (*STRIP, *EVERY)
    return "other device", EVERY
