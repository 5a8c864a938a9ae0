"""An operator changes a target's reservation: show it, explain, confirm, change, read back, and print how to undo it.

The pair manages reservations itself, and a change by hand bypasses it. So each step can refuse: the daemon owns the
group, another host holds the target and --force is missing, the typed name is wrong, or the list changed meanwhile.
"""

import argparse
import asyncio
import shlex
import sys
from dataclasses import dataclass

from aoeha.cli.aoe.guard import NOBODY, owner_or_refusal
from aoeha.cli.aoe.meaning import Plan, meaning
from aoeha.cli.aoe.pair import Pair, holder_name
from aoeha.cli.aoe.screen import NOT_KNOWN, VerbError, hardware_list, print_table
from aoeha.cli.aoe.sight import Sight, Spot, look
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError
from aoeha.fabric.aoe.frames import format_mac
from aoeha.fabric.aoe.port import AoeError

__all__ = ["change"]

_RESERVED = 6


def change(arguments: argparse.Namespace, pair: Pair | None, wanted: tuple[bytes, ...]) -> Exit:
    """Reserve a target at all its addresses for `wanted`, or release it when `wanted` is empty. Return the exit code.

    Raises VerbError for each refusal before the first change.
    """
    leg = pair.leg(arguments.target) if pair else None
    owner = owner_or_refusal(arguments, pair, leg) if pair and leg else NOBODY
    sight = look(arguments, pair)
    _refuse_unable(sight)
    _show(sight, pair, wanted)
    due = tuple(spot for spot in sight.answering if set(spot.owners or ()) != set(wanted))
    plan = Plan(sight.target, wanted, due, pair, leg, owner)
    if not due:
        print("The reservation is already as requested; nothing was changed.")
        return _unreached(sight)
    if not arguments.force:
        _refuse_other_holders(sight, plan)
    for sentence in meaning(plan):
        print(sentence)
    if arguments.dry_run:
        print("Dry run: nothing was changed.")
        return Exit.DONE
    _confirm(arguments)
    if pair and leg and owner_or_refusal(arguments, pair, leg) != owner:
        raise VerbError(Exit.UNSAFE, f"cannot change {leg.target}: {leg.group} changed hands meanwhile; look again")
    ended = asyncio.run(_Change(arguments, sight, plan).perform())
    if ended.changed:
        print(_undo(arguments, sight, plan, ended.changed))
    if ended.fault is not None:
        print_error(str(ended.fault))
        return ended.fault.code
    return _unreached(sight)


def _refuse_unable(sight: Sight) -> None:
    if not sight.answering:
        where = ", ".join(sight.interfaces)
        raise VerbError(Exit.FAILED, f"cannot see {sight.target}: it did not answer on {where}; nothing was changed")
    for spot in sight.answering:
        if spot.owners is None:
            raise VerbError(
                Exit.FAILED,
                f"cannot reserve {spot.place}: it does not report its reservation, so it can be used with power "
                f"fencing only; `aoeha aoe probe {sight.target}` says more; nothing was changed",
            )


def _refuse_other_holders(sight: Sight, plan: Plan) -> None:
    for spot in plan.due:
        owners = spot.owners or ()
        if not set(owners) <= sight.own:
            raise VerbError(
                Exit.UNSAFE,
                f"cannot change {spot.place}: it is reserved for {holder_name(owners, plan.pair)}; its holder can "
                "change it, and so can --force; nothing was changed",
            )


def _show(sight: Sight, pair: Pair | None, wanted: tuple[bytes, ...]) -> None:
    rows = []
    for spot in sight.spots:
        if spot.place is None:
            rows.append((str(sight.target), format_mac(spot.mac), NOT_KNOWN, "silent", "not reached"))
            continue
        now = holder_name(spot.owners or (), pair)
        rows.append((str(sight.target), format_mac(spot.mac), spot.place.interface, now, holder_name(wanted, pair)))
    print_table(("DEVICE", "ADDRESS", "IF", "HELD NOW", "AFTERWARDS"), rows)
    for spot in sight.spots:
        if not spot.configured:
            print(
                f"{sight.target} at {format_mac(spot.mac)} is not in the configuration: the pair does not reserve it."
            )


def _confirm(arguments: argparse.Namespace) -> None:
    if arguments.yes:
        return
    name = str(arguments.target)
    if not sys.stdin.isatty():
        raise VerbError(
            Exit.USAGE, "cannot ask for the target's name: no terminal; read the lines above, then add --yes"
        )
    print(f"Type the name of the target to change ({name}): ", end="", file=sys.stderr, flush=True)
    typed = sys.stdin.readline().strip()
    if typed != name:
        raise VerbError(Exit.UNSAFE, f'cannot change {name}: the name typed was "{typed}"; nothing was changed')


@dataclass(frozen=True, slots=True)
class _Ended:
    """The addresses that were changed, in order, and the error that stopped the change before the others."""

    changed: tuple[Spot, ...]
    fault: VerbError | None = None


class _Change:
    """Change address after address. Stop at the first that does not accept the change."""

    def __init__(self, arguments: argparse.Namespace, sight: Sight, plan: Plan) -> None:
        self._force: bool = arguments.force
        self._wait_ms: int = arguments.wait
        self._due = plan.due
        self._wanted = plan.wanted
        self._interfaces = sight.interfaces

    async def perform(self) -> _Ended:
        changed: list[Spot] = []
        async with AoeClient(self._interfaces) as client:
            try:
                for spot in self._due:
                    await self._expect_as_shown(client, spot)
                for spot in self._due:
                    await self._one(client, spot)
                    changed.append(spot)
            except VerbError as fault:
                return _Ended(tuple(changed), fault)
        return _Ended(tuple(changed))

    async def _expect_as_shown(self, client: AoeClient, spot: Spot) -> None:
        assert spot.place is not None
        owners = await self._read(client, spot, "nothing was changed")
        if owners != spot.owners:
            raise VerbError(
                Exit.UNSAFE,
                f"cannot change {spot.place}: it is now reserved for "
                f"{hardware_list(owners) or 'nobody'}; nothing was changed",
            )

    async def _one(self, client: AoeClient, spot: Spot) -> None:
        assert spot.place is not None
        try:
            await client.reserve(spot.place, self._wanted, force=self._force, deadline_ms=self._wait_ms)
        except RefusedError as fault:
            taken = fault.code == _RESERVED
            hint = (
                "; another host reserved it meanwhile, or it is ggaoed, whose holder needs --force too" if taken else ""
            )
            raise VerbError(Exit.UNSAFE if taken else Exit.FAILED, f"{fault}{hint}") from fault
        except NoAnswerError:
            pass  # Only the answer may have been lost: the reading tells.
        owners = await self._read(client, spot, f"`aoeha aoe stat {spot.place.target}` shows it once it answers")
        if set(owners) != set(self._wanted):
            raise VerbError(
                Exit.FAILED,
                f"cannot change {spot.place}: it still shows {hardware_list(owners) or 'nobody'} as its holder",
            )
        print(f"{spot.place} is reserved for {hardware_list(owners) or 'nobody'} now.")

    async def _read(self, client: AoeClient, spot: Spot, otherwise: str) -> tuple[bytes, ...]:
        assert spot.place is not None
        try:
            return await client.read_reservation(spot.place, self._wait_ms)
        except AoeError as fault:
            raise VerbError(
                Exit.CANNOT_DETERMINE, f"cannot tell who holds {spot.place}: {fault}; {otherwise}"
            ) from fault


def _undo(arguments: argparse.Namespace, sight: Sight, plan: Plan, changed: tuple[Spot, ...]) -> str:
    """Return the command that restores the former lists, or the lists themselves when no single command does."""
    before = {spot.owners or () for spot in changed}
    if len(before) > 1:
        lists = ", ".join(f"{spot.place}: {hardware_list(spot.owners or ()) or 'nobody'}" for spot in changed)
        return f"To undo: no single command does; the former holders were {lists}"
    (owners,) = before
    words = ["aoeha", "aoe", "reserve" if owners else "release", str(sight.target)]
    words += ["--hosts", hardware_list(owners)] if owners else []
    needs_force = (arguments.force and plan.may_be_in_use) or not set(plan.wanted) <= sight.own
    words += ["--force"] if needs_force else []
    words += ["--config", arguments.config] if arguments.config else []
    words += ["--node", arguments.node] if arguments.node else []
    words += ["--interface", ",".join(arguments.interface)] if arguments.interface else []
    return f"To undo: {shlex.join(words)}"


def _unreached(sight: Sight) -> Exit:
    for spot in sight.silent:
        print_error(
            f"cannot reach {sight.target} at {format_mac(spot.mac)}: it does not answer, and its reservation is unknown"
        )
    return Exit.FAILED if sight.silent else Exit.DONE
