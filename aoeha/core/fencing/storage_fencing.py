"""When a storage fence begins and for which groups: those of a power fence, after the same delay.

What this file does not know: how a leg is preempted, and when all of them are a proof.
"""

from aoeha.core.fencing import fence_race, power_fence
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import storage_fence


def decide(step: StepContext) -> None:
    """Advance every storage fence."""
    storage_fence.decide(step, power_fence.wanted_legs(step.state), fence_race.delay_ms(step.state))
