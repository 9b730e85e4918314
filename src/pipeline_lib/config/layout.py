"""Facts of the run that a stage receives: rows of a table, places of measurements, the description of a network.

`Config` builds all three; the stages read them back from their command line.
"""

from typing import Any

from pydantic import Field

from pipeline_lib.config.networks import AnyNetwork
from pipeline_lib.config.settings import Settings
from pipeline_lib.config.systems import SystemSettings


class Layout(Settings):
    """Rows of a table, in order: for each corpus every system, every trained one with these seeds."""

    corpora: dict[str, str]  # name -> label
    stands_for: dict[str, str] = Field(default={})  # name -> published corpus in whose place it is, if it is so
    systems: dict[str, SystemSettings]
    seeds: list[int]


class Stages(Settings):
    """The places of the measurements; paths of systems have ``{corpus}``, ``{system}`` and ``{seed}`` in them."""

    shared: dict[str, dict[str, str]]  # corpus -> stage -> benchmark file
    trained: dict[str, list[str]]  # corpus -> systems with a model of their own; others decode one of these
    of_systems: dict[str, str]  # stage -> benchmark file; the stage `training`, and others for each split
    summary: str  # of a training job: summary.json
    history: str  # history.jsonl


class Description(Settings):
    """Everything but the units that a network is built from."""

    model: str
    options: dict[str, Any]
    network: AnyNetwork
