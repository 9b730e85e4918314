"""Weights that were trained elsewhere."""

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from pipeline_lib.config.settings import AnyPath, Name, Settings

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENISERS = ("vocab.txt", "tokenizer.json")  # either is enough


class Pretrained(Settings):
    """Options of a system whose weights may come from elsewhere.

    Validated with a context, which is the folder's config.json as a trained model's file keeps it, they need no folder.
    """

    kind: ClassVar[str] = ""  # `model_type` that config.json must give; empty: any

    weights: AnyPath | None = Field(
        default=None,
        description="local folder of a model that was trained elsewhere: config.json, model.safetensors, and vocab.txt "
        "or tokenizer.json; null: its weights are drawn, in the sizes of `network:`, and its row says so",
    )
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="checksum of the folder's model.safetensors; a file with another one is refused",
    )
    seen: list[Name] = Field(
        default=[],
        description="corpora that the weights were trained on, perhaps on their test examples; rows of these say so",
    )

    _config: dict[str, Any] | None = PrivateAttr(default=None)

    @field_validator("weights")
    @classmethod
    def _is_a_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.context is None and (fault := fault_of(Path(value), cls.kind)):
            raise ValueError(f"{fault}; nothing is downloaded: put such a model there, or leave the option out")
        return value

    def model_post_init(self, context: Any) -> None:
        self._config = context

    @property
    def config(self) -> dict[str, Any] | None:
        """Content of config.json where the weights are in the file of a trained model; None: the folder is read."""
        return self._config


class OfTransformers(Pretrained):
    """Options of a system that is made of classes of the package `transformers`."""

    package: ClassVar[str] = "transformers"  # that has to be installed, which `make pretrained` does


def fault_of(folder: Path, kind: str) -> str | None:
    """Tell why a folder cannot be read as a model of a kind; None: it can, as far as its files but the weights tell."""
    if not folder.is_dir():
        return f"no folder {str(folder)!r}"
    if not (folder / WEIGHTS).is_file():
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        if pickled:
            return f"{pickled[0]} in {str(folder)!r} is pickled and could run code; {WEIGHTS} is needed instead"
        return f"no {WEIGHTS} in {str(folder)!r}"
    if not (folder / CONFIG).is_file():
        return f"no {CONFIG} in {str(folder)!r}"
    if not any((folder / name).is_file() for name in TOKENISERS):
        return f"neither {' nor '.join(TOKENISERS)} in {str(folder)!r}"
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{CONFIG} in {str(folder)!r} cannot be read ({error})"
    found = config.get("model_type") if isinstance(config, dict) else None
    return f"the model in {str(folder)!r} is of type {found!r}, not {kind!r}" if kind and found != kind else None
