"""Systems whose weights may have been trained elsewhere: read from a local folder, and fitted to the units of a corpus.

Nothing is fetched, and nothing is unpickled. A system reads and writes the units of its corpus as every other does, so
that likelihoods compare. A unit that is a piece of the folder's own vocabulary keeps its vector; any other begins with
the mean vector of the pieces that the folder's tokeniser cuts it into.

V units of the corpus, W pieces of the folder, d width.
"""

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline_lib.config.networks import Sizes, Transformer
from pipeline_lib.config.pretrained import CONFIG, WEIGHTS, Pretrained, fault_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import sha256
from pipeline_lib.models.exact import TokenwiseSystem
from pipeline_lib.schemas.responses import RANDOM_START, SEEN_CORPUS
from pipeline_lib.text.pieces import Pieces
from pipeline_lib.text.units import Units


class Folder(NamedTuple):
    """A model that was trained elsewhere: its settings, its weights by the names that they have there, its pieces."""

    path: Path
    config: dict[str, Any]
    weights: dict[str, Tensor]
    id_of: Callable[[str], int | None]  # of a piece
    cut: Callable[[Sequence[str]], list[list[int]]]  # texts into pieces

    def fitted(self, vectors: Tensor, units: Units, same: Mapping[int, int]) -> Tensor:
        """Give every unit a vector.

        Args:
            vectors: (W, d), of the pieces.
            same: ids of units that are other pieces than their texts say: those of padding, start and end.
        Returns:
            (V, d).
        """
        texts = [units.decode([i]) for i in range(len(units))]
        names, parts = units.pieces if isinstance(units, Pieces) else texts, self.cut(texts)
        vectors = vectors.float()
        found = vectors.mean(0).repeat(len(units), 1)  # of what cannot be cut
        for unit, name in enumerate(names):
            piece = same.get(unit, self.id_of(name))
            chosen = parts[unit] if piece is None else [piece]
            if chosen:
                found[unit] = vectors[chosen].mean(0)
        return found


class PretrainedSystem(TokenwiseSystem):
    """A system that is built from a folder's settings, or of random weights in the sizes of its network."""

    Network: ClassVar[type[Sizes]] = Transformer

    def __init__(self, units: Units, network: Transformer, options: Pretrained) -> None:
        super().__init__(units, network, options)
        self.apart = apart(options)

    def given_parameters(self) -> Iterable[Tensor]:
        return [] if self.apart == RANDOM_START else self.parameters()

    def undrawn_parameters(self) -> Iterable[Tensor]:
        norms = (module for module in self.modules() if type(module).__name__.endswith("LayerNorm"))  # T5 has its own
        frozen = (parameter for parameter in self.parameters() if not parameter.requires_grad)
        return [*frozen, *(parameter for norm in norms for parameter in norm.parameters())]


def apart(options: Pretrained) -> str:
    """Return why a system with these weights competes with no other; empty: it does.

    Args:
        options: of one corpus, whose name alone may be in ``seen`` (`SystemSettings.options_on`).
    """
    if options.weights is None:
        return RANDOM_START
    return SEEN_CORPUS if options.seen else ""


@contextmanager
def noise_of(generator: torch.Generator) -> Iterator[None]:
    """Have layers that draw from torch's global state draw what follows from ``generator``.

    Processes that share a batch then draw alike, so the loss of several is not to the digit that of one.
    """
    device = generator.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator, device=device)))
        yield


def transformers_package() -> Any:
    """Import the package `transformers`.

    Raises:
        PipelineError: it is not installed.
    """
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise PipelineError(
            f"the package transformers cannot be imported: {error}",
            where="systems.<name>.model",
            expected="the packages of requirements-pretrained.lock, which T5, T5-CLAPS and DialoGPT need",
            remedy="make pretrained, or leave these systems out (`rows:`)",
        ) from error


def read_folder(options: Pretrained, kind: str) -> Folder | None:
    """Read the folder that the options name; None: they name none, or the file of a trained model has the weights.

    Args:
        kind: ``model_type`` that its config.json must give.
    Raises:
        PipelineError: it is not a model of that kind, damaged, or not the one whose checksum was given.
    """
    if options.weights is None or options.config is not None:
        return None
    path = Path(options.weights)
    if options.sha256 and (digest := sha256(path / WEIGHTS)) != options.sha256:
        raise unfit(path / WEIGHTS, f"its checksum is {digest}", f"sha256 {options.sha256}")
    if fault := fault_of(path, kind):
        raise unfit(path / CONFIG, fault, f"a model of type {kind!r}")
    try:
        weights = load_file(path / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise unfit(path, f"it cannot be read: {error}", f"a whole {WEIGHTS}") from error
    config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    return Folder(path, config, weights, *_tokeniser(path))


def unfit(path: Path, found: str, expected: str) -> PipelineError:
    """Return the error of a folder that a system cannot use."""
    return PipelineError(
        f"not the pretrained model that the system needs: {found}",
        where=path,
        expected=expected,
        remedy="correct `options: {weights: …}` of the system, or leave it out to draw the weights at random",
    )


def load_part(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights of a module, whose names and shapes must agree.

    Raises:
        PipelineError: they do not.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise unfit(
            path / WEIGHTS, " ".join(str(error).split())[:600], f"the weights that {CONFIG} describes"
        ) from None


def below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _tokeniser(path: Path) -> tuple[Callable[[str], int | None], Callable[[Sequence[str]], list[list[int]]]]:
    """Return what gives the id of a piece, and what cuts texts into pieces."""
    if pieces := _word_pieces(path):
        number = {piece: i for i, piece in enumerate(pieces.pieces)}
        is_cased = any(piece != piece.lower() for piece in pieces.pieces if not piece.startswith("["))

        def cut(texts: Sequence[str]) -> list[list[int]]:
            read = texts if is_cased else [text.lower() for text in texts]
            ids = pieces.encode(pa.array(read, pa.string()))
            return [ids.ids[first:last].tolist() for first, last in pairwise(ids.offsets)]

        return number.get, cut
    transformers_package()  # which brings tokenizers along
    try:
        found = importlib.import_module("tokenizers").Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # the package raises Exception itself
        raise unfit(path / "tokenizer.json", str(error), "a tokeniser of the package tokenizers") from error
    return found.token_to_id, lambda texts: [
        one.ids for one in found.encode_batch([f" {text}" for text in texts], add_special_tokens=False)
    ]


def _word_pieces(path: Path) -> Pieces | None:
    """Return the word pieces of a folder, by their ids; None where its tokeniser is of another kind."""
    if (path / "vocab.txt").is_file():
        return Pieces.read(path / "vocab.txt")
    try:
        model = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        if model.get("type") != "WordPiece":
            return None
        return Pieces(sorted(model["vocab"], key=model["vocab"].get))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise unfit(path / "tokenizer.json", f"it cannot be read: {error!r}", "a whole tokenizer.json") from error
