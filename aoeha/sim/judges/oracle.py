"""All judges of one world: what must never happen, judged from the world's own facts after every event.

Each judge has a file of its own, whose first lines say what it judges, and what it cannot and why. What no pair can
promise is said there, not hidden, and counted as `excused`. The world's operators confirm machines that are off, unless
a story says that one has not looked (`vouch NODE unseen`): what that word breaks, and nothing else, is excused.
"""

from aoeha.sim.judges.address_probes import AddressProbeJudge
from aoeha.sim.judges.better_reach import BetterReachJudge
from aoeha.sim.judges.blocked import BlockedJudge
from aoeha.sim.judges.copies import CopyJudge
from aoeha.sim.judges.deaths import DeathJudge
from aoeha.sim.judges.duels import DuelJudge
from aoeha.sim.judges.evictions import EvictionJudge
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.fences import FenceJudge
from aoeha.sim.judges.forced_legs import ForcedLegJudge
from aoeha.sim.judges.forgotten import Forgotten
from aoeha.sim.judges.heard_beats import HeardBeatJudge
from aoeha.sim.judges.leg_left import LegLeftJudge
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.moves import Moves
from aoeha.sim.judges.needless_stops import NeedlessStopJudge
from aoeha.sim.judges.offers import OfferJudge
from aoeha.sim.judges.operators_word import OperatorsWordJudge
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.overlaps import OverlapJudge
from aoeha.sim.judges.own_legs_first import OwnLegsFirstJudge
from aoeha.sim.judges.path_orders import PathOrderJudge
from aoeha.sim.judges.pause import PauseJudge
from aoeha.sim.judges.power_tasks import PowerTaskJudge
from aoeha.sim.judges.presence import Presence
from aoeha.sim.judges.reboots import RebootJudge
from aoeha.sim.judges.records import RecordJudge
from aoeha.sim.judges.rest import RestJudge
from aoeha.sim.judges.retold import RetoldJudge
from aoeha.sim.judges.serving import ServingJudge
from aoeha.sim.judges.sight import Sight
from aoeha.sim.judges.silences import SilenceJudge
from aoeha.sim.judges.stalls import StallJudge
from aoeha.sim.judges.start_order import StartOrderJudge
from aoeha.sim.judges.status import StatusJudge
from aoeha.sim.judges.troubles import Troubles
from aoeha.sim.judges.untold import Untold
from aoeha.sim.judges.well import WellJudge
from aoeha.sim.judges.witness import Witness
from aoeha.sim.judges.words import WordJudge
from aoeha.sim.judges.writers import WriterJudge
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.world import World

__all__ = ["Oracle"]


class Oracle:
    """Watches one world. `observers` are all who do so, in the order in which they are to be told."""

    def __init__(self, world: World) -> None:
        orders, witness, excuses = PowerOrders(world), Witness(world), Excuses(world)
        moves, troubles, sight, reads = Moves(world), Troubles(world), Sight(world), LegReads(world)
        forgotten, untold, presence = Forgotten(world), Untold(world), Presence(world)
        self.duels = DuelJudge(world, witness, orders)
        self.well = WellJudge(world, self.duels)
        self.records = RecordJudge(world, forgotten, untold)
        self.observers: tuple[Observer, ...] = (
            orders,
            witness,
            excuses,
            moves,
            troubles,
            sight,
            forgotten,
            untold,
            PauseJudge(world, orders),
            WriterJudge(world, excuses),
            NeedlessStopJudge(world, witness, excuses, moves, troubles),
            FenceJudge(world, witness=witness, excuses=excuses, orders=orders, troubles=troubles, sight=sight),
            self.duels,
            LegLeftJudge(world, excuses),
            OverlapJudge(world),
            WordJudge(world, witness, excuses),
            HeardBeatJudge(world, witness),
            reads,
            presence,
            OwnLegsFirstJudge(world),
            StartOrderJudge(world),
            ForcedLegJudge(world, excuses, reads, presence),
            StallJudge(world, reads, presence),
            PowerTaskJudge(world),
            OperatorsWordJudge(world),
            AddressProbeJudge(world, excuses),
            SilenceJudge(world, orders, reads),
            BlockedJudge(world, reads=reads, sight=sight, troubles=troubles, forgotten=forgotten),
            RebootJudge(world),
            EvictionJudge(world, reads),
            CopyJudge(world),
            PathOrderJudge(world),
            ServingJudge(world, witness, sight),
            DeathJudge(world),
            RestJudge(world),
            self.records,
            BetterReachJudge(world, witness),
            StatusJudge(world),
            RetoldJudge(world),
            OfferJudge(world),
        )
