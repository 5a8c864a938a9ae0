"""Mutants of what is known of a leg's data: restarts, doubts, generations, and from which legs a mirror starts."""

from mutant import Mutant

__all__ = ["MUTANTS"]

CHOICE = "storage/start_choice.py"
RESTARTS = "storage/target_restarts.py"
SUSPECT = "storage/suspect_legs.py"
GENERATION = "storage/generation.py"

MUTANTS = (
    Mutant(
        f"{SUSPECT}:limits",
        "R5",
        "the only leg of a mirror is marked before it is known that it is the only one",
        "if mirror.missing is not None or leg.name in starts",
        "if True",
    ),
    Mutant(
        f"{CHOICE}:choose_legs",
        "R5",
        "a leg that is called failed by the other one is used",
        "if any(_calls(other, one) for other in fresh)]",
        "if False]",
    ),
    Mutant(
        f"{CHOICE}:choose_legs",
        "R5",
        "two halves that were written apart are started from neither, and nobody says so",
        "if _calls(first, second) and _calls(second, first):",
        "if False:",
    ),
    Mutant(
        f"{CHOICE}:choose_legs",
        "R5",
        "an old copy of a leg is handed to md, which then starts nothing",
        "old = [one for one in superblocks.values() if one not in called and _is_set_aside(one, newest, legs)]",
        "old: list[Superblock] = []",
    ),
    Mutant(
        f"{CHOICE}:choose_legs",
        "R5",
        "an old copy of a leg calls the whole one failed, and is believed",
        "fresh = [superblock for superblock in young if not _is_outdated(superblock, newest)]",
        "fresh = young",
    ),
    Mutant(
        f"{CHOICE}:_feared",
        "R5",
        "a leg whose target may have lost acknowledged writes is started from beside one that has them",
        "return (leg for leg in there if leg in legs.doubted) if sound else ()",
        "return ()",
    ),
    Mutant(
        f"{CHOICE}:_choose_without",
        "R5",
        "a leg whose target may have lost acknowledged writes is started from alone, because a ledger called it whole",
        "if one.leg in legs.complete and one.leg not in legs.doubted]",
        "if one.leg in legs.complete]",
    ),
    Mutant(
        f"{RESTARTS}:learn",
        "R5",
        "a former owner goes on saying what it found of legs that another one has mended",
        "if not group.holding and theirs is not None and theirs.holding and theirs.epoch >= group.epoch:",
        "if False:",
    ),
    Mutant(
        f"{RESTARTS}:before_term",
        "R5",
        "legs that nobody ever owned are called doubtful",
        "not group.term.first and ",
        "",
    ),
    Mutant(
        f"{RESTARTS}:_owner_took_care",
        "R5",
        "an owner that knows of a restart has taken care of the leg, paused or not",
        "if ledger is None or (place in ledger.fence and place not in ledger.start):",
        "if False:",
    ),
    Mutant(
        f"{RESTARTS}:announced",
        "R5",
        "a target that kept its reservation through a restart has lost nothing",
        "reservation_lost=True, copy_in_doubt=in_doubt",
        "copy_in_doubt=False",
    ),
    Mutant(
        f"{RESTARTS}:unknown_to_owner",
        "R5",
        "a leg that nobody holds at the beginning of a term has forgotten nothing",
        "(leg.shows_anywhere(Holder.NOBODY) or leg.restarted_ms is not None)",
        "leg.restarted_ms is not None and not leg.shows_anywhere(Holder.NOBODY)",
    ),
    Mutant(
        f"{RESTARTS}:unknown_to_owner",
        "R5",
        "a target that its dying owner has reserved once more has forgotten nothing",
        "(leg.shows_anywhere(Holder.NOBODY) or leg.restarted_ms is not None)",
        "leg.shows_anywhere(Holder.NOBODY)",
    ),
    Mutant(
        f"{SUSPECT}:doubted",
        "R5",
        "an owner does not say which legs may lack acknowledged writes",
        "unsound = (place for place, leg in enumerate(group.legs) if not is_sound(group, leg))",
        "unsound = (place for place, leg in enumerate(group.legs) if False)",
    ),
    Mutant(
        f"{SUSPECT}:has_forgotten",
        "R3",
        "an address that was never held has lost what its leg acknowledged",
        "address.held_epoch == group.held_epoch",
        "True",
    ),
    Mutant(
        f"{SUSPECT}:is_sound",
        "R5",
        "a target that keeps nothing through a restart lost nothing",
        "(not leg.reservation_lost or durable)",
        "True",
    ),
    Mutant(
        f"{SUSPECT}:is_sound",
        "R5",
        "a leg on which a fenced node may have written is sound",
        "return not leg.suspect and",
        "return",
    ),
    Mutant(
        f"{SUSPECT}:_is_gone",
        "R5",
        "a boot that was reported off is gone, though its beats go on",
        " and not _beats_on(state, state.last_off)",
        "",
    ),
    Mutant(
        f"{GENERATION}:_renew",
        "R22",
        "a renewal on slow legs gets no more time than one on prompt legs",
        "shelf_patience.act_ms(TaskKind.RENEW_GENERATION, DEADLINE_MS, group)",
        "DEADLINE_MS",
    ),
    Mutant(
        f"{GENERATION}:learn",
        "R22",
        "an owner writes a lower generation over a higher one",
        "if highest > step.state.group(name).generation:",
        "if False:",
    ),
    Mutant(
        f"{GENERATION}:too_old",
        "R22",
        "a leg that is older than what both gateways remember is started from",
        "if (leg.generation or 0) + APART < group.generation)",
        "if False)",
    ),
    Mutant(
        f"{GENERATION}:too_old",
        "R22",
        "an operator who gives up what is missing on all legs changes nothing",
        "if group.term is not None and group.term.loss_acknowledged:",
        "if False:",
    ),
    Mutant(
        f"{GENERATION}:too_old",
        "R22",
        "a leg that the last renewal did not reach is taken for an old copy",
        "+ APART < group.generation",
        "< group.generation",
    ),
    Mutant(
        f"{GENERATION}:task_done",
        "R22",
        "nobody remembers a generation",
        "step.change_group(task.group, generation=max(known, task.generation))",
        "pass",
    ),
    Mutant(
        f"{GENERATION}:task_done",
        "R22",
        "another disk behind the name of a leg stays in the mirror",
        "for leg in told.exchanged:",
        "for leg in ():",
    ),
    Mutant(
        f"{GENERATION}:decide",
        "R22",
        "a gateway learns no generation from its peer",
        "if theirs is not None and theirs.generation > step.state.group(name).generation:",
        "if False:",
    ),
)
