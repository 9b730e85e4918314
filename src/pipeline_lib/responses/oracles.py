"""Reference rows of generated corpora: responses by those who know their distribution."""

import random
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.paraphrase_truth import ParaphraseTruth
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.responses.baselines import repeated, without_likelihood
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.turns import turns_of

Oracle = Literal["sample", "mode", "stranger"]


def oracle(kind: Oracle, source: Source, examples: Path, seed: int, samples: int) -> pa.Table:
    """Respond to contexts of a generated corpus.

    Args:
        kind: ``sample``: draws from p(response | context), of a corpus of users from p(response | context, user). Of
            users alone, ``mode``: the likeliest response, one to each context; ``stranger``: draws by one who does not
            know the user: first a user from p(user | context).
        examples: a file of `EXAMPLES`.
    Returns:
        `RESPONSES` without likelihoods, one sample after the other.
    Raises:
        PipelineError: the distribution is not known, or the examples are of another corpus.
    """
    texts, rng = read_parquet(examples, EXAMPLES), random.Random(seed)
    if source.reader == "paraphrases" and kind == "sample":
        return _paraphrases(texts, samples, rng)
    if source.reader != "personas":
        raise PipelineError(
            f"`baseline: {kind}` is not known of a corpus with reader {source.reader!r}",
            where=f"`baseline: {kind}` of a system",
            expected="a source with reader `personas`, or for `sample` one with reader `paraphrases`",
            remedy="leave the row out of the tables of this corpus: name their `systems:`",
        )
    truth = PersonaTruth()
    contexts = [turns_of(context) for context in texts["context"].to_pylist()]
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


def _paraphrases(texts: pa.Table, samples: int, rng: random.Random) -> pa.Table:
    truth, contexts = ParaphraseTruth(), texts["context"].to_pylist()
    responses = [truth.sample(context, rng) for _ in range(samples) for context in contexts]
    if None in responses:
        strange = contexts[responses.index(None) % len(contexts)]
        raise PipelineError(
            f"a context is no generated question: {strange}",
            where="column 'context', `baseline: sample` of a system",
            expected="questions as reader `paraphrases` generates them, none of their words replaced",
            remedy="delete the examples of this corpus and run the same command again",
        )
    return without_likelihood(*repeated(texts, pa.chunked_array([pa.array(responses, pa.string())]), samples))
