"""Scored responses: a file of `schemas.responses` with columns for each metric, which tests and the page read.

A metric with a value for each response has a float64 column of its name. One of the whole set that depends on its
examples through sums alone has a column `parts_of` it: list<float64>, what the example of the row adds to the sums.
``dialogue`` is the number of the example's dialogue in the split, int64 from 0.
"""

DIALOGUE = "dialogue"
_PARTS = "|parts"


def parts_of(metric: str) -> str:
    """Name the column of what each example adds to the sums of a metric."""
    return metric + _PARTS


def is_for_tests(column: str) -> bool:
    """Tell whether a column only serves intervals and tests: `parts_of` a metric, or `DIALOGUE`."""
    return column == DIALOGUE or column.endswith(_PARTS)
