"""What an operator is told when the core refuses a mirror's legs, with the commands of mdadm that lead out."""

from aoeha.core.storage.start_choice import Doubt, Refusal

__all__ = ["why_not_start", "why_not_take_back"]


def why_not_start(device: str, uuid: str, refusal: Refusal) -> str:
    """Say why the array `device` of this UUID is not started from any of its legs."""
    reasons = "; ".join(f"{leg}: {why.value}" for leg, why in refusal.left_out)
    match refusal.doubt, refusal.legs:
        case Doubt.OTHER_ARRAY, (leg,):
            return (
                f"{leg} belongs to array {refusal.found}, not to {uuid}; "
                "correct `uuid` or `legs` in aoeha.toml (`mdadm --examine` shows what a disk belongs to)"
            )
        case Doubt.WRITTEN_APART, (first, second):
            return (
                f"{first} and {second} each record the other as failed: both halves of {device} were written apart "
                f"from each other. Decide which one to keep, give up the other with `mdadm --zero-superblock {second}` "
                f"(or {first}), start, and add it back with `mdadm {device} --add`"
            )
        case Doubt.ALL_TOO_OLD, old:
            which = " and ".join(old)
            rest = f" ({reasons})" if reasons else ""
            return (
                f"acknowledged writes are missing on {which}: what lies there is older than what both gateways "
                f"remember, and there is no other leg{rest}. Bring a newer one back, or, knowing that newer writes are "
                "lost, run: aoeha cleanup"
            )
        case Doubt.MAY_LACK_WRITES, (leg,):
            return (
                f"{leg} alone may lack acknowledged writes: it does not record the other leg as failed, and that one "
                f"cannot be used ({reasons}). Bring it back, or, knowing that newer writes on it are lost, run "
                f"`mdadm --assemble --run {device} {leg}` and `mdadm --stop {device}` here, and start again"
            )
        case _:
            there = reasons or "no leg holds complete data"
            return f"there is no leg to start {device} from: {there}; bring the shelf of the other leg back"


def why_not_take_back(device: str, uuid: str, refusal: Refusal) -> str:
    """Say why a leg is not taken back into the running array `device` of this UUID."""
    match refusal.doubt, refusal.legs:
        case Doubt.NO_SUPERBLOCK, (leg,):
            return (
                f"it has no md superblock. If this disk shall become the mirror's other half, run "
                f"`mdadm {device} --add {leg}`; it is overwritten"
            )
        case Doubt.OTHER_ARRAY, _:
            return f"it belongs to array {refusal.found}, not to {uuid}; look at what its shelf exports"
        case Doubt.WRITTEN_APART, (leg, other):
            return (
                f"it recorded {other} as failed, which works, so both were written apart. If what {leg} alone holds "
                f"may be lost, run `mdadm --zero-superblock {leg}` and `mdadm {device} --add {leg}`"
            )
        case _:
            return "the superblock of the leg that works cannot be read; see `dmesg`"
