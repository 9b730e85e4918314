"""The base of every section of the configuration: strict, immutable, with types whose limits are checked."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator takes
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]  # becomes part of a path


def _no_option(value: str) -> str:
    if value.startswith("-") or any(not character.isprintable() for character in value):
        raise ValueError("a path starts with no dash (write ./-name) and holds no control character")
    return value


def _no_wildcard(value: str) -> str:
    if "{" in value or "}" in value:
        raise ValueError("braces are wildcards to Snakemake; choose a folder without them")
    return value


def _stays(value: str) -> str:
    if value in (".", "..", "manifest.json"):
        raise ValueError("this names no file of a source; manifest.json is written beside them")
    return value


AnyPath = Annotated[str, AfterValidator(_no_option)]
Folder = Annotated[AnyPath, AfterValidator(_no_wildcard)]
FileName = Annotated[Folder, Field(pattern=r"^[^/\\]+$"), AfterValidator(_stays)]


class Settings(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
