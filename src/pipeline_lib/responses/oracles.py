"""Reference rows of the corpus `personas`: responses by those who know its distribution."""

import random
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.responses.baselines import repeated, without_likelihood
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.ids import TURN

Oracle = Literal["sample", "mode", "stranger"]


def oracle(kind: Oracle, examples: Path, seed: int, samples: int) -> pa.Table:
    """Respond to contexts of the corpus `personas`.

    Args:
        kind: ``sample``: draws from p(response | context, user); ``mode``: its likeliest response, one to each
            context; ``stranger``: draws by one who does not know the user: first a user from p(user | context).
        examples: a file of `EXAMPLES`.
    Returns:
        `RESPONSES` without likelihoods, one sample after the other.
    Raises:
        PipelineError: the examples are of another corpus.
    """
    texts = read_parquet(examples, EXAMPLES)
    truth, rng = PersonaTruth(), random.Random(seed)
    contexts = [context.split(f" {TURN} ") for context in texts["context"].to_pylist()]
    users = texts["label"].to_pylist()
    before = [truth.language.parse(turns[-1]) for turns in contexts]
    known = [said for said, user in zip(before, users, strict=True) if said is not None and user is not None]
    if len(known) < len(texts):
        raise PipelineError(
            f"the distribution is known of {len(known)} of {len(texts)} examples",
            where=f"{examples}, `baseline: {kind}` of a system",
            expected="a corpus with reader `personas`",
            remedy="leave the row out of the tables of this corpus: name their `systems:`",
        )
    if kind == "mode":
        texts_of = [truth.mode(said, user) for said, user in zip(known, users, strict=True)]
        return without_likelihood(texts, pa.chunked_array([pa.array(texts_of)]))
    shares = [np.cumsum(truth.p_user(turns)) for turns in contexts] if kind == "stranger" else []
    responses = []
    for _ in range(samples):
        if kind == "stranger":
            users = [min(int(np.searchsorted(own, rng.random(), "right")), len(own) - 1) for own in shares]
        responses += [truth.sample(said, user, rng) for said, user in zip(known, users, strict=True)]
    return without_likelihood(*repeated(texts, pa.chunked_array([pa.array(responses)]), samples))
