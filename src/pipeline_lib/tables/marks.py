"""What a table says about its marks: † is about systems however trained, ◇ about these trained models alone."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.significance import Between


class Tested(NamedTuple):
    """What the notes must know of one test."""

    between: Between
    method: str


def notes_of_leads(tests: Sequence[Tested], columns: int, level: float, layout: Layout) -> list[str]:
    """Explain the marks of the best systems.

    Args:
        tests: every comparison of a best system with another.
        columns: how many columns, of all corpora, are corrected together.
    """
    family = f"Holm over all {columns} columns of this table that are tested, each corpus counted, level {level:g}"
    if columns == 1:
        family = f"level {level:g}"
    notes = ["Bold: best of the systems compared."]
    if methods := _methods(tests, "systems"):
        notes.append(
            f"†: significantly better than every other system compared, with other training runs and other items "
            f"taken into account ({methods}; {family})."
        )
    if methods := _methods(tests, "models"):
        notes.append(
            f"◇: significantly better than every other, between these trained models: another training may reverse it "
            f"({methods}; {family})."
        )
    return [*notes, *_notes_of_limits(tests, layout)]


def notes_of_changes(tests: Sequence[Tested], level: float, layout: Layout) -> list[str]:
    """Explain the marks of differences from the first row; ``tests`` are all of the table, corrected together."""
    family = f"Holm over all {len(tests)} differences of this table that are tested, level {level:g}"
    notes = []
    if methods := _methods(tests, "systems"):
        notes.append(
            f"†: significantly different from the first row, with other training runs and other items taken into "
            f"account ({methods}; {family})."
        )
    if methods := _methods(tests, "models"):
        notes.append(
            f"◇: significantly different from the first row, between these trained models: another training may "
            f"reverse it ({methods}; {family})."
        )
    return [*notes, *_notes_of_limits(tests, layout)]


def _methods(tests: Iterable[Tested], between: Between) -> str:
    return "; ".join(sorted({test.method for test in tests if test.between == between}))


def _notes_of_limits(tests: Sequence[Tested], layout: Layout) -> list[str]:
    if not tests:
        return []
    if len(layout.seeds) == 1:
        return ["There is one run of each system, so no difference can be called one between systems (†)."]
    given = [system.label for system in layout.systems.values() if not system.trained and not system.baseline]
    if not given:
        return []
    return [f"Not trained here, so compared as these responses are, without a spread of trainings: {', '.join(given)}."]
