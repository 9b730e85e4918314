"""n-grams of many texts at once, as integer ids, and their clipped matches."""

from dataclasses import dataclass

import numpy as np

from pipeline_lib.text.ragged import Ragged

ORDERS = 5  # BLEU to 4, and the 5-grams that smoothing method 5 looks ahead to


@dataclass(frozen=True)
class Matches:
    """Sufficient statistics of BLEU for B responses, orders 1 to `ORDERS`."""

    numerators: np.ndarray  # (B, ORDERS) float64, n-grams also in a reference, clipped to its count there
    denominators: np.ndarray  # (B, ORDERS) float64, n-grams of the response; 0 if it is too short
    lengths: np.ndarray  # (B,) float64, tokens of the response
    reference_lengths: np.ndarray  # (B,) float64, tokens of the reference nearest in length, the shorter of two


def ngram_ids(texts: Ragged, order: int, tokens: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Number every n-gram of every text, with ids below the returned bound.

    Args:
        texts: token ids below ``tokens``.
    Returns:
        (M,) int64 ids, (M,) int64 texts, the bound.
    """
    return _grow(texts, order, tokens)[-1]


def _grow(texts: Ragged, orders: int, tokens: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
    text = texts.text
    end = texts.offsets[1:][text]
    position = np.arange(len(texts.ids))
    grams, bound = texts.ids, tokens
    result = [(grams, text, bound)]
    for order in range(2, orders + 1):
        keep = position + order <= end[position]
        position, grams = position[keep], grams[keep]
        # ids are made dense again before the next token is appended, so they never leave 64 bits
        distinct, dense = np.unique(grams * tokens + texts.ids[position + order - 1], return_inverse=True)
        grams, bound = dense.astype(np.int64), len(distinct)
        result.append((grams, text[position], bound))
    return result


def count_matches(responses: Ragged, references: Ragged, reference_item: np.ndarray, tokens: int) -> Matches:
    """Count clipped n-gram matches of responses with the references of their items (Papineni et al. 2002, section 2.1).

    Args:
        responses: B texts.
        references: R texts; reference r belongs to item ``reference_item[r]``, ascending.
        tokens: size of the vocabulary.
    """
    n = len(responses)
    both = Ragged.of_lengths(
        np.concatenate([responses.ids, references.ids]), np.concatenate([responses.lengths, references.lengths])
    )
    numerators = np.zeros((n, ORDERS))
    denominators = np.maximum(responses.lengths[:, None] - np.arange(ORDERS), 0).astype(np.float64)
    for order, (grams, text, bound) in enumerate(_grow(both, ORDERS, tokens)):
        ours = text < n
        found, found_counts = np.unique(text[ours] * bound + grams[ours], return_counts=True)
        key, limit = _reference_counts(grams[~ours], text[~ours] - n, reference_item, bound)
        if not len(key):
            continue
        at = np.minimum(np.searchsorted(key, found), len(key) - 1)
        clipped = np.where(key[at] == found, np.minimum(found_counts, limit[at]), 0)
        numerators[:, order] = np.bincount(found // bound, weights=clipped, minlength=n)
    lengths = responses.lengths.astype(np.float64)
    return Matches(numerators, denominators, lengths, _nearest_lengths(lengths, references, reference_item))


def _reference_counts(
    grams: np.ndarray, text: np.ndarray, item: np.ndarray, bound: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count per (item, n-gram) the most occurrences in a reference: sorted keys ``item * bound + gram`` and counts."""
    per_text, counts = np.unique(text * bound + grams, return_counts=True)
    key = item[per_text // bound] * bound + per_text % bound
    if len(item) == (item[-1] + 1 if len(item) else 0):  # one reference each: already unique and sorted
        return key, counts
    unique, inverse = np.unique(key, return_inverse=True)
    most = np.zeros(len(unique), np.int64)
    np.maximum.at(most, inverse, counts)
    return unique, most


def _nearest_lengths(lengths: np.ndarray, references: Ragged, item: np.ndarray) -> np.ndarray:
    distance = np.abs(references.lengths - lengths[item])
    order = np.lexsort((references.lengths, distance, item))
    first = np.unique(item[order], return_index=True)[1]
    return references.lengths[order][first].astype(np.float64)
