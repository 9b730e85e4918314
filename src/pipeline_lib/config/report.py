"""The page with all of a run."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Settings


class Report(Settings):
    """The page with all of a run: `make report`."""

    parts: list[Literal["tables", "human", "cases", "figures", "costs", "items", "ablations", "sweep"]] = Field(
        default=["tables", "human", "cases", "figures", "costs", "items"],
        description="what the page holds, made if it is not there: tables 1-3, Table 4 (human), Table 5 (cases), "
        "figures of trained systems, runtime and memory (costs), the explorer of all responses (items); ablations and "
        "sweep train many more systems",
    )
