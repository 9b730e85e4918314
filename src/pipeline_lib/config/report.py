"""The page with all of a run."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.settings import Distinct, Name, Settings


class Report(Settings):
    """The tables that a run without a target makes, and the page of `make report`."""

    tables: Annotated[list[Name], Distinct] | None = Field(
        default=None, description="tables, in order, made if they are not there; null: all of `tables:`"
    )
    figures: Annotated[list[Name], Distinct] | None = Field(
        default=None, description="figures of the page, in order; null: all of `figures:`"
    )
    items: bool = Field(default=True, description="true: the page has the explorer of all responses")
