"""Notes of the page on a metric: its meaning in a line, and which direction is better."""

from collections.abc import Iterable
from typing import Any

from pipeline_lib.metrics.named import known_metric

PLACES = 3  # decimals of a ratio below 1
REPEATS = {
    "meaning": "Contexts of this split to which the system gives this very response",
    "better": "lower",
    "item": "repeats",
    "places": 0,
}


def metric_notes(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Describe metrics: meaning, better direction (None: neither), decimals, and what their items are sorted by.

    Results may hold values of metrics that are gone by now; those have no note.
    """
    notes: dict[str, dict[str, Any]] = {"repeats": REPEATS}  # counted by the page
    for name in dict.fromkeys(names):
        if kind := known_metric(name):
            places = PLACES - kind.fewer_digits
            about = {"meaning": kind.meaning, "better": kind.better, "item": kind.by_item or name, "places": places}
            notes[name] = about
    return notes
