"""What no program can check of a fence device: a list for each kind of plug, which a person goes through once.

Sources: Tasmota's Commands.md (SetOption21 0, the default: no metering while the relay is off; PowerOnState 3: as it
was), Zigbee2MQTT's device-availability.md (availability is off by default) and its settingsMigration.ts (since version
2 an object with `enabled`), APC's UPS-Link specification, the manuals of the other families.
"""

from collections.abc import Mapping

__all__ = ["checklist"]

CORDS = (
    "Every power supply of the gateway is on a plug that is named here; two supplies need two devices on one level.",
    "Each plug feeds the right gateway: run aoeha fence verify NODE, with NODE in standby, once from each gateway.",
)
EVERY = ("No UPS is between the plug and the gateway: the gateway would keep running while the plug is off.", *CORDS)

MQTT = (
    "The plug, access point or radio stick, broker and the switches between them are on a UPS that feeds no gateway.",
    "Its topic has no retained command: the broker would repeat it at every connect.",
    "The plug has no timer, rule, schedule or automatic-off, and no automation switches it.",
    "The broker and the access point run on neither gateway, and on no plug that is switched here.",
    "The plug's rating exceeds the gateway's inrush current.",
)
FIRMWARES = {
    "tasmota": (
        "Tasmota: PowerOnState 3, so that after a mains failure the plug comes back as it was.",
        "Tasmota: SetOption21 1, or the meter reports nothing while the relay is off, which proves nothing.",
        "Tasmota: PulseTime 0.",
    ),
    "shelly": (
        "Shelly: initial_state restore_last, so that after a mains failure the plug comes back as it was.",
        "Shelly: auto_on and auto_off are off, and the MQTT session is clean.",
    ),
    "zigbee2mqtt": (
        "Zigbee2MQTT: power_on_behavior (or power_outage_memory) is the last state.",
        "Zigbee2MQTT: availability: true (since version 2: availability: {enabled: true}); it is off by default.",
        "Zigbee2MQTT: no debounce or throttle on the plug; cache_state: false where nothing else needs it.",
    ),
}
CONTROLLER = (
    "It is fed by its gateway's mains, so there is another level, with power of its own.",
    "It has a network port of its own, not one shared with the gateway's beats.",
    "The firmware's power restore policy is the last state, so that a gateway that was left off stays off.",
    "Off cuts the power at once, without an orderly shutdown of the operating system (HandlePowerKey=ignore).",
    "Its user may only switch power, and the password survives a firmware update.",
)
LINE = (
    "The line leads from the gateway that switches to the box that feeds the other one, and nothing else uses it.",
    "A USB adapter is named by its path below /dev/serial/by-path, and is on no hub that is switched.",
)
SERIAL = (*LINE, "After a mains failure the outlets come back on (or as they were), not off.")
UPS = (
    *LINE,
    "Each gateway has a UPS of its own, which feeds nothing else that must stay up: no switch, no shelf.",
    "The cable is APC's own (940-0024C): an ordinary one can switch the load off by itself.",
    'The model switches on again by command; one that must be woken by hand needs after_fence = "off".',
    "There is another level: on battery the UPS may go down together with its load, and then reports nothing.",
)
STRIP = (
    "After a mains failure its outlets come back as they were, without a delay of minutes.",
    "A UPS feeds it and the switch at its network port: it must still answer in a power cut.",
    "Its network port is on a switch that no gateway feeds; its address is static, not from DHCP.",
    "Its user may switch only the gateways' outlets, and no stale session locks other users out.",
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
