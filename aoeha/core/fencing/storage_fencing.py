"""Which legs a storage fence takes, and when it begins: what a power fence would be for, after the same delay.

What this file does not know: how a leg is taken, and when all of them are a proof.
"""

from aoeha.core.fencing import fence_race, power_fence
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import storage_fence


def decide(step: StepContext) -> None:
    """Move every storage fence on."""
    storage_fence.decide(step, power_fence.wanted_legs(step.state), fence_race.delay_ms(step.state))
