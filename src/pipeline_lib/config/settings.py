"""The base of every section of the configuration: strict, immutable, with types whose limits are checked."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline_lib.config.misread import misread

Positive = Annotated[int, Field(gt=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator takes
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]  # becomes part of a path
Split = Literal["train", "validation", "test"]
ORACLE_SPLIT: Split = "validation"  # the one split on which a group may be chosen with the reference


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


def _distinct(value: Any) -> Any:
    seen = set()
    for item in value:
        if item in seen:
            raise ValueError(f"{item!r} is listed more than once")
        seen.add(item)
    return value


def _ordered(value: tuple[int, int]) -> tuple[int, int]:
    fewest, most = value
    if fewest > most:
        raise ValueError(f"fewest ({fewest}) is more than most ({most})")
    return value


Ordered = AfterValidator(_ordered)  # of the fewest and the most of something
Distinct = AfterValidator(_distinct)  # of a list of names or numbers
AnyPath = Annotated[str, AfterValidator(_no_option)]
Folder = Annotated[AnyPath, AfterValidator(_no_wildcard)]
FileName = Annotated[Folder, Field(pattern=r"^[^/\\]+$"), AfterValidator(_stays)]


class Settings(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _is_as_meant(cls, values: Any) -> Any:
        fields = {field.alias or name: field.annotation for name, field in cls.model_fields.items()}
        given = values if isinstance(values, dict) else {}
        faults: list[InitErrorDetails] = [
            {"type": PydanticCustomError("misread", "{message}", {"message": message}), "loc": path, "input": value}
            for key, kind in fields.items()
            for path, value, message in misread(kind, given.get(key), (key,))
        ]
        if faults:
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return values
