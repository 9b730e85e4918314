"""Which direction is better, for the metrics that have one."""

from typing import Literal

# Length and KL are tested where a table asks, but have no better direction; active units are of the whole set.
BETTER: dict[str, Literal["lower", "higher"]] = {
    **dict.fromkeys(("ppl", "ppl-bound", "ppl-importance"), "lower"),
    **dict.fromkeys(("distinct-1", "distinct-2"), "higher"),
    **dict.fromkeys(("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "corpus-BLEU"), "higher"),
    **dict.fromkeys(("Average", "Greedy", "Extrema", "coherence"), "higher"),
}


UNDIRECTED = ("length", "kl")


WITH_TEST = (*BETTER, *UNDIRECTED)
