"""Analysis `reconstructions`: what a system decodes from the posterior of a sentence (Bowman et al. 2016, Table 7)."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import CODES, Needs
from pipeline_lib.analyses.paths import draw_sentences
from pipeline_lib.config.settings import Positive, Settings, Split
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.bleu import MAX_ORDER, sentence_bleu
from pipeline_lib.metrics.items import Items

if TYPE_CHECKING:
    from pipeline_lib.models.system import System


class Options(Settings):
    """Sentences, with what is decoded greedily from the mean of the posterior of each and from draws of it."""

    sentences: Positive = Field(default=100, description="sentences, drawn by the seed of the run")
    draws: Positive = Field(default=3, description="draws from each posterior")
    split: Split = Field(default="test", description="split that sentences are of")
    longest: Positive = Field(default=82, description="most units of a decoded text")


def needs(options: Options) -> Needs:
    return Needs("decoded", models=(CODES,), any_corpus=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `DECODED` table: each sentence, the decoded mean of its posterior, and the decoded draws.

    Raises:
        PipelineError: the system has no latent space, or the split has too few sentences.
    """
    from pipeline_lib.analyses.latent_space import LatentSpace
    from pipeline_lib.analyses.verdicts import decoded_table
    from pipeline_lib.text.units import read_units

    space = LatentSpace(model, read_units(data.vocabulary), options.longest)
    rng = np.random.default_rng((seed, 3))
    texts = read_parquet(data.examples[options.split], columns=["response"])["response"].to_pylist()
    sentences = draw_sentences(texts, options.sentences, rng, options.split)
    mean, deviation = space.posteriors(sentences)
    noise = rng.standard_normal((options.draws, *mean.shape))
    points = np.stack([mean, *(mean + deviation * noise)], 1)  # (N, 1 + draws, Z)
    decoded = iter(space.decode(points.reshape(-1, space.dimensions)))
    norms = np.linalg.norm(points, axis=-1)
    rows: list[dict[str, Any]] = []
    references: list[list[str]] = []
    for item, sentence in enumerate(sentences):
        rows.append({"item": item + 1, "place": 0, "kind": "input", "text": sentence})
        references.append([])
        for place in range(points.shape[1]):
            text, log_p = next(decoded)
            rows.append(
                {
                    "item": item + 1,
                    "place": place + 1,
                    "kind": "draw" if place else "mean",
                    "text": text,
                    "input": sentence,
                    "log_p": log_p,
                    "norm": float(norms[item, place]),
                    "same_length": len(text.split()) == len(sentence.split()),
                }
            )
            references.append([sentence])
    made = [row for row in rows if row["kind"] != "input"]
    for row, score in zip(made, bleu([row["input"] for row in made], [row["text"] for row in made]), strict=True):
        row["bleu"] = score
    return decoded_table(rows, references, space.keep, data)


def bleu(references: list[str], texts: list[str]) -> list[float]:
    """Return the smoothed sentence BLEU-4 of each text to its reference, as `BLEU-4` of NLTK's present method 7."""
    matches = Items.of([""] * len(texts), references, texts).matches
    scores: list[float] = sentence_bleu(matches, np.full(MAX_ORDER, 1 / MAX_ORDER), "current").tolist()
    return scores
