"""A drill's evidence as it looks when all went well, for planting faults into."""

from typing import Any

from aoeha.rack.evidence.record import JournalEntry, Record

ACKNOWLEDGED = 100
MARK_MS, UNPLUGGED_MS, TAKEN_MS, SERVED_MS, END_MS = 10_000, 10_010, 12_050, 13_000, 20_000


def event(at_ms: int, who: str, kind: str, **facts: Any) -> dict[str, Any]:
    return {"at_ms": at_ms, "who": who, "kind": kind, **facts}


def kernel(at_ms: int, who: str, text: str) -> dict[str, Any]:
    return event(at_ms, who, "line", source="kernel", text=f"6,1,1,-;{text}")


def stretch(kind: str, place: str, who: str, since_ms: int, until_ms: int) -> dict[str, Any]:
    return {"kind": kind, "place": place, "who": who, "since_ms": since_ms, "until_ms": until_ms, "frames": 9}


def persist(at_ms: int, node: str, epoch: int, proof: str) -> JournalEntry:
    group = {"name": "storage", "epoch": epoch, "holding": True, "proof": {"kind": proof, "epoch": epoch}}
    return JournalEntry(at_ms, node, "Persist", {"memory": {"groups": [group]}})


def task(at_ms: int, node: str, number: int, kind: str, subject: str) -> list[JournalEntry]:
    started = {"task": {"id": number, "kind": kind, "subject": subject}}
    return [
        JournalEntry(at_ms, node, "StartTask", started),
        JournalEntry(at_ms + 100, node, "TaskDone", {"task_id": number, "result": "ok"}),
    ]


def good_events() -> list[dict[str, Any]]:
    working = [*range(5_000, MARK_MS, 50), *range(SERVED_MS, END_MS, 50)]
    return sorted(
        [
            event(1_000, "alpha", "power", state="on"),
            event(1_000, "beta", "power", state="on"),
            kernel(4_000, "alpha", "md/raid1:md126: active with 2 out of 2 mirrors"),
            *(
                event(5_000 + 50 * number, "client", "acknowledged", number=number)
                for number in range(ACKNOWLEDGED // 2)
            ),
            *(
                event(SERVED_MS + 50 * n, "client", "acknowledged", number=n)
                for n in range(ACKNOWLEDGED // 2, ACKNOWLEDGED)
            ),
            *(event(at_ms, "client", "answered", number=0) for at_ms in working),
            event(MARK_MS, "rack", "mark", name="alpha-dies", processes={"alpha": 900, "beta": 700}),
            event(UNPLUGGED_MS, "alpha", "power", state="off"),
            event(UNPLUGGED_MS, "rack", "unplugged", node="alpha"),
            event(12_010, "power-switch", "request", client="10.77.1.12", request="off alpha", answer="ok"),
            event(12_020, "power-switch", "request", client="10.77.1.12", request="status alpha", answer="off"),
            kernel(12_300, "beta", "md/raid1:md126: active with 2 out of 2 mirrors"),
            event(12_900, "rack", "runs", node="beta", processes={"beta": 712}),
            event(END_MS, "rack", "played"),
        ],
        key=lambda each: each["at_ms"],
    )


def good_record(**changes: Any) -> Record:
    """A takeover after a power loss; `changes` replace fields of the record."""
    read = {"places": ACKNOWLEDGED, "bad": []}
    leg = {"records": read, "e2fsck_code": 0}
    fields: dict[str, Any] = {
        "drill": {
            "name": "power-loss",
            "group": "storage",
            "deadtime_ms": 2_000,
            "untouched": False,
            "alarms": [],
            "policy": "power",
            "power_offs": 1,
            "outage_max_ms": 5_500,
            "foreign": None,
            "owners": [[{"node": "alpha", "proof": ""}, {"node": "beta", "proof": "powered off"}]],
        },
        "facts": {"client": read, "mismatches": 0, "disks": {"legs": {"leg1": leg, "leg2": leg}}},
        "events": tuple(good_events()),
        "journal": (
            persist(3_900, "alpha", 1, "handed over"),
            *task(12_005, "beta", 1, "power_off", "power-switch"),
            persist(TAKEN_MS, "beta", 2, "powered off"),
            *task(12_100, "beta", 2, "start", "mirror"),
        ),
        "wires": (
            stretch("landed", "shelf1", "alpha", 2_000, 9_990),
            stretch("landed", "shelf2", "alpha", 2_000, 9_990),
            stretch("answered", "address", "alpha", 4_500, 9_980),
            stretch("landed", "shelf1", "beta", 12_310, END_MS),
            stretch("landed", "shelf2", "beta", 12_310, END_MS),
            stretch("answered", "address", "beta", SERVED_MS, END_MS),
        ),
    }
    return Record(**{**fields, **changes})
