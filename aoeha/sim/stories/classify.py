"""Which proof or refusal a sentence of the core tells of: for counting what a run has seen, and for nothing else."""

__all__ = ["PROOFS", "REFUSALS", "classify"]

PROOFS = ("handed over", "rebooted", "powered off", "operator's word", "storage-fenced")

REFUSALS = {
    "no proof: fence failed": "there is no proof that it is off",
    "fell and waits to be heard": "went down without leaving",
    "could not start": "not taking over",
    "resource not started": "not starting",
    "gave up here": "no healthy peer, trying again",
    "blocked": "cannot stop",
    "device distrusted": "NOT PROTECTED",
    "proof was wrong": "the proof for",
    "fence cancelled": "its fence is cancelled",
    "no reason to fence": "no reason to fence",
    "away": "is judged anew",
    "answered after absence": "answered and owns nothing of ours",
    "word expired": "has expired",
}
"""Refusals by name: a part of the sentence that tells each. The first that fits counts."""


def classify(sentence: str) -> tuple[str, str] | None:
    """Return ("proof" or "refusal", its name), None for any other sentence."""
    if " owns " in sentence and " at epoch " in sentence:
        for proof in PROOFS:
            if proof in sentence:
                return "proof", proof
    for name, part in REFUSALS.items():
        if part in sentence:
            return "refusal", name
    return None
