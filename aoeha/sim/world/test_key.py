"""The key that both simulated gateways share."""

from aoeha.wire.keys import Key

__all__ = ["KEY"]

KEY = Key(1, bytes(range(32)))
