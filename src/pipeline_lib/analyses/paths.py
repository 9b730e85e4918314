"""Analysis `paths`: what a system decodes from points on lines through its latent space.

Bowman et al. (2016), Tables 1, 8 and 12.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import CODES, SENTENCE_VAE, Needs
from pipeline_lib.config.settings import Positive, Settings, Split
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet

if TYPE_CHECKING:
    from pipeline_lib.models.system import System


class Options(Settings):
    """Texts decoded greedily from equally spaced points on straight lines."""

    between: Literal["sentences", "prior"] = Field(
        description="ends of a line: the encodings (posterior means) of two sentences of the split, or two draws from "
        "the prior"
    )
    paths: Positive = Field(default=100, description="lines, whose ends are drawn by the seed of the run")
    points: int = Field(default=9, ge=2, description="points of a line, its ends included")
    split: Split = Field(default="test", description="split that sentences are of")
    longest: Positive = Field(default=82, description="most units of a decoded text")


def needs(options: Options) -> Needs:
    """Ends that are encodings need an encoder, ends that are drawn a prior, too."""
    return Needs("decoded", models=(CODES if options.between == "sentences" else SENTENCE_VAE,), any_corpus=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `DECODED` table, the points of one path after those of another.

    Raises:
        PipelineError: the system has no latent space, or no prior; or the split has too few sentences.
    """
    from pipeline_lib.analyses.latent_space import LatentSpace
    from pipeline_lib.analyses.verdicts import decoded_table
    from pipeline_lib.text.units import read_units

    space = LatentSpace(model, read_units(data.vocabulary), options.longest)
    rng = np.random.default_rng((seed, 1))
    inputs: list[str] = []
    if options.between == "sentences":
        texts = read_parquet(data.examples[options.split], columns=["response"])["response"].to_pylist()
        inputs = draw_sentences(texts, 2 * options.paths, rng, options.split)
        ends, _ = space.posteriors(inputs)
    else:
        ends = space.prior(2 * options.paths, rng)
    at = np.linspace(0, 1, options.points)
    points = line(ends[0::2], ends[1::2], at)
    decoded = space.decode(points.reshape(-1, space.dimensions))
    rows, references = [], []
    for number, (text, log_p) in enumerate(decoded):
        path, place = divmod(number, options.points)
        at_end = place in (0, options.points - 1)
        rows.append(
            {
                "item": path + 1,
                "place": place,
                "kind": "point",
                "t": float(at[place]),
                "text": text,
                "input": inputs[2 * path + (place > 0)] if inputs and at_end else None,
                "log_p": log_p,
                "norm": float(np.linalg.norm(points[path, place])),
            }
        )
        first = path * options.points
        references.append([] if at_end else [decoded[first].text, decoded[first + options.points - 1].text])
    return decoded_table(rows, references, space.keep, data)


def line(first: NDArray[np.float64], last: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return z(t) = (1 - t) ``first`` + t ``last``: (N, Z) twice and (P,) -> (N, P, Z)."""
    weight = at[:, np.newaxis]
    found: NDArray[np.float64] = (1 - weight) * first[:, np.newaxis] + weight * last[:, np.newaxis]
    return found


def draw_sentences(texts: list[str], count: int, rng: np.random.Generator, split: str) -> list[str]:
    """Draw sentences of a split without replacement.

    Raises:
        PipelineError: there are not so many.
    """
    if count > len(texts):
        raise PipelineError(
            f"{count} sentences are to be drawn, and the split {split!r} has {len(texts)}",
            where="analyses.<name>.options: paths, sentences or split",
            expected=f"at most {len(texts)} sentences, of which a path takes two",
            remedy="lower the number, or name a larger split",
        )
    return [texts[row] for row in rng.choice(len(texts), count, replace=False)]
