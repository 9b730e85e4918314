"""Analysis `prior_samples`: what a system decodes from draws of the prior, and from less likely points beyond them.

Bowman et al. (2016), Tables 5 and 6.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import SENTENCE_VAE, Needs
from pipeline_lib.config.settings import Positive, Settings

if TYPE_CHECKING:
    from pipeline_lib.models.system import System


class Options(Settings):
    """Texts decoded greedily from z ~ N(0, I)."""

    samples: Positive = Field(default=200, description="draws, by the seed of the run")
    stretch: float | None = Field(
        default=None,
        gt=0,
        description="decode A z, too: A has entries from U(-c, c), drawn once by the seed, with c such that the root "
        "mean square of |A z| / |z| is `stretch`; null: z alone",
    )
    longest: Positive = Field(default=82, description="most units of a decoded text")


def needs(options: Options) -> Needs:
    return Needs("decoded", models=(SENTENCE_VAE,))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `DECODED` table: each draw, followed by its stretched point where there is one.

    Raises:
        PipelineError: the system has no latent space, or no prior.
    """
    from pipeline_lib.analyses.latent_space import LatentSpace
    from pipeline_lib.analyses.verdicts import decoded_table
    from pipeline_lib.text.units import read_units

    space = LatentSpace(model, read_units(data.vocabulary), options.longest)
    rng = np.random.default_rng((seed, 2))
    z = space.prior(options.samples, rng)
    points = {"prior": z}
    if options.stretch is not None:
        points["stretched"] = z @ stretching(space.dimensions, options.stretch, rng).T
    decoded = {kind: space.decode(of_kind) for kind, of_kind in points.items()}
    norms = {kind: np.linalg.norm(of_kind, axis=1) for kind, of_kind in points.items()}
    rows, references = [], []
    for sample in range(options.samples):
        for place, kind in enumerate(points):
            text, log_p = decoded[kind][sample]
            rows.append(
                {
                    "item": sample + 1,
                    "place": place,
                    "kind": kind,
                    "text": text,
                    "log_p": log_p,
                    "norm": float(norms[kind][sample]),
                    "norm_before": float(norms["prior"][sample]) if place else None,
                }
            )
            references.append([decoded["prior"][sample].text] if place else [])
    return decoded_table(rows, references, space.keep, data)


def stretching(dimensions: int, stretch: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw A, (Z, Z) with entries from U(-c, c).

    E |A z|² = Z |z|² c² / 3, so that c = ``stretch`` sqrt(3 / Z). The paper's c = 0.1 stretches by 2 where Z is 1,200.
    """
    c = stretch * np.sqrt(3 / dimensions)
    return rng.uniform(-c, c, (dimensions, dimensions))
