"""Writing plans before any job starts, with an error for a results folder that takes none."""

import os
from contextlib import suppress
from pathlib import Path

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.disk import disk_full, is_disk_full
from pipeline_lib.files.provenance import Plan, save_plan


def write_plan(plans: Path, plan: Plan, outputs: list[str], outside: dict[str, str]) -> Path:
    """Keep a plan as `save_plan` does.

    Raises:
        PipelineError: the disk is full, or the results folder cannot be written.
    """
    try:
        return save_plan(plans, plan, outputs, outside)
    except OSError as error:
        for left in plans.glob(f"*.{os.getpid()}.tmp"):
            with suppress(OSError):
                left.unlink()
        raise unwritable(plans.parent, error) from error


def unwritable(results: Path, error: OSError) -> PipelineError:
    """Make the error of a results folder in which nothing can be written."""
    if is_disk_full(error):
        return disk_full(results, "room for the plans of jobs, before the first of them starts")
    return PipelineError(
        f"nothing can be written into the results folder: {error.strerror}",
        where=error.filename or results,
        expected="a folder that this user may write into",
        remedy="give the user that right, or set `results:` to another folder",
    )
