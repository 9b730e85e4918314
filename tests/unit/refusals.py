"""Errors that a test provokes."""

from collections.abc import Callable

import pytest

from pipeline_lib.errors import PipelineError


def refusal(act: Callable[[], object]) -> PipelineError:
    """Run something that must end in an error with advice; gives the error."""
    with pytest.raises(PipelineError) as caught:
        act()
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value
