"""Pairs of texts as dialogues: a cluster of pairs is a dialogue, and each pair stands apart from the next.

Pair k is the turns 5k and 5k + 1; a text that somebody has labelled as different in meaning from the first is turn
5k + 3. The gaps keep windows of two turns within a pair, and the labelled text out of every window.
"""

TURNS_APART = 5  # from a pair to the next of its cluster
NEGATIVE = 3  # from the first text of a pair to the one that is labelled as different
