"""The rows of the tables."""

from typing import Any, Literal

from pydantic import Field, field_validator

from pipeline_lib.config.settings import AnyPath, Settings
from pipeline_lib.errors import did_you_mean


class SystemSettings(Settings):
    """One row of the tables."""

    label: str = Field(description="name in tables; published figures are matched by it")
    model: str = Field(
        pattern=r"^[\w.]+:\w+$|^function:[\w.]+\.\w+$",
        description="module:Class of a model that is trained; function:module.name of a function that gives responses "
        "without training; or baseline:random / baseline:human, which frame the tables",
    )
    options: dict[str, Any] = Field(default={}, description="the model's or the function's own options")
    clusters: Literal["kmeans", "spectral", "agglomerative"] | None = Field(
        default=None, description="clustering whose groups the model is given; null: none"
    )
    network: dict[str, Any] = Field(default={}, description="values of `network:` that differ for this system")
    training: dict[str, Any] = Field(default={}, description="values of `training:` that differ for this system")

    @field_validator("model")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        kind, _, name = value.partition(":")
        if kind == "baseline" and name not in ("random", "human"):
            raise ValueError(f"no baseline {name!r}; {did_you_mean(name, ['random', 'human'])}")
        if kind == "function" and "." not in name:
            raise ValueError(f"{value!r} names no module; write function:module.name")
        return value

    @property
    def baseline(self) -> str | None:
        """Which reference row this is; None: a system."""
        kind, _, name = self.model.partition(":")
        return name if kind == "baseline" else None

    @property
    def trained(self) -> bool:
        return self.model.partition(":")[0] not in ("baseline", "external", "function")


class ExternalSystem(Settings):
    """A row whose responses were made elsewhere, say by a language model."""

    label: str = Field(description="name in tables")
    responses: AnyPath = Field(
        description="path of a CSV, JSON lines or Parquet file with columns context and response (and sample, where a "
        "context has several responses); {corpus} and {split} stand for their names"
    )
