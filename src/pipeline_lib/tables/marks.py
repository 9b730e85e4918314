"""What a table says about its marks: † is about systems however trained, ◇ about these trained models alone."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.significance import Between
from pipeline_lib.tables.cells import MARKS


class Tested(NamedTuple):
    """What the notes must know of one test."""

    between: Between
    method: str


def notes_of_leads(tests: Sequence[Tested], columns: int, level: float, layout: Layout) -> list[str]:
    """Explain the marks of the best systems; a table without tests has none.

    Args:
        tests: every comparison of a best system with another.
        columns: how many columns, of all corpora, are corrected together.
    """
    if not tests:
        return []
    family = f"Holm over all {columns} columns of this table that are tested, each corpus counted, level {level:g}"
    better = "significantly better than every other system compared"
    return ["Bold: best of the systems compared.", *_notes(tests, better, family, layout)]


def notes_of_changes(tests: Sequence[Tested], level: float, layout: Layout) -> list[str]:
    """Explain the marks of differences from the first row; ``tests`` are all of the table, corrected together."""
    family = f"Holm over all {len(tests)} differences of this table that are tested, level {level:g}"
    return _notes(tests, "significantly different from the first row", family, layout)


def _notes(tests: Sequence[Tested], claim: str, family: str, layout: Layout) -> list[str]:
    notes = []
    if methods := _methods(tests, "systems"):
        counted = "with other training runs and other items taken into account"
        notes.append(f"{MARKS['systems']}: {claim}, {counted} ({methods}; {family}).")
    if methods := _methods(tests, "models"):
        counted = f"between these trained models alone: {_why_models(layout)}"
        notes.append(f"{MARKS['models']}: {claim}, {counted} ({methods}; {family}).")
    return [*notes, *_notes_of_limits(tests, layout)]


def _methods(tests: Iterable[Tested], between: Between) -> str:
    return "; ".join(sorted({test.method for test in tests if test.between == between}))


def _why_models(layout: Layout) -> str:
    if len(layout.seeds) == 1:
        return "another training may reverse it"
    return "no run differs from another in this column, so the spread of trainings is not known"


def _notes_of_limits(tests: Sequence[Tested], layout: Layout) -> list[str]:
    if not tests:
        return []
    if len(layout.seeds) == 1:
        return [
            f"There is one run of each system, so no difference is called one between systems ({MARKS['systems']})."
        ]
    given = [system.label for system in layout.systems.values() if not system.trained and not system.baseline]
    if not given:
        return []
    return [f"Not trained here, so compared as these responses are, without a spread of trainings: {', '.join(given)}."]
