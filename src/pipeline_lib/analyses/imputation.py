"""Analysis `imputation`: the last fifth of sentences as a system imputes it (Bowman et al. 2016, section 4)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import CODES, SENTENCES, Needs
from pipeline_lib.config.settings import Positive, Settings, Split
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.imputations import IMPUTATIONS
from pipeline_lib.text.ids import UNKNOWN

if TYPE_CHECKING:
    from pipeline_lib.models.system import System

Pair = tuple[str, str]  # the true sentence, and the one whose ending is hidden


class Options(Settings):
    """Sentences of one split, half of which lose their last words."""

    split: Split = Field(default="test", description="split of the sentences")
    sentences: Positive | None = Field(default=None, description="first so many of them; null: all")
    one_in: Positive = Field(default=5, description="one word in so many is unknown, at the end, rounded up")
    beam: Positive = Field(default=15, description="hypotheses of a language model")
    beam_of_codes: Positive = Field(default=5, description="hypotheses of a system with a code, in each round")
    rounds: Positive = Field(default=3, description="how often a code is computed from the sentence so far")


def needs(options: Options) -> Needs:
    return Needs("imputations", models=(SENTENCES, CODES), any_corpus=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return an `IMPUTATIONS` table.

    Sentences with a word that the system does not know are left out: it may not find ``<unk>``, which would give the
    true ones away.

    Raises:
        PipelineError: fewer than two sentences of one length are left, or the system is none of sentences.
    """
    from pipeline_lib.analyses.imputer import Imputer, Search
    from pipeline_lib.analyses.verdicts import verdicts_on
    from pipeline_lib.text.units import read_units

    units = read_units(data.vocabulary)
    texts = read_parquet(data.examples[options.split], EXAMPLES, ["response"])["response"][: options.sentences]
    encoded = units.encode(texts)
    is_known = [
        units.ids.unknown not in encoded.ids[start:stop]
        for start, stop in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    ]
    pairs = paired([text for text, known in zip(texts.to_pylist(), is_known, strict=True) if known], seed)
    halves = [cut(hidden, options.one_in) for _, hidden in pairs]
    imputer = Imputer(model, units, Search(options.beam, options.beam_of_codes, options.rounds))
    hidden = units.encode(pa.array([ending for _, ending in halves], pa.string()))
    found = imputer.endings([text for _, text in pairs], np.diff(hidden.offsets).tolist())
    rows = [
        {"pair": number, "beside": pair[0], "prefix": half[0], "ending": half[1], "imputed": imputed}
        for number, (pair, half, imputed) in enumerate(zip(pairs, halves, found, strict=True))
    ]
    completed = [joined(prefix, imputed) for (prefix, _), imputed in zip(halves, found, strict=True)]
    verdicts = verdicts_on(completed, [[text] for _, text in pairs], data)
    return pa.Table.from_pylist([row | verdict for row, verdict in zip(rows, verdicts, strict=True)], IMPUTATIONS)


def joined(prefix: str, ending: str) -> str:
    """Return the whole sentence; a prefix may be empty."""
    return f"{prefix} {ending}" if prefix else ending


def paired(texts: Sequence[str], seed: int) -> list[Pair]:
    """Draw pairs of sentences with the same number of words; each sentence is in one pair at most.

    Raises:
        PipelineError: there is no such pair.
    """
    rng = np.random.default_rng(seed)
    waiting: dict[int, list[str]] = defaultdict(list)
    pairs: list[Pair] = []
    for row in rng.permutation(len(texts)).tolist():
        same_length = waiting[len(texts[row].split(" "))]
        if same_length:
            pairs.append((same_length.pop(), texts[row]))
        else:
            same_length.append(texts[row])
    if not pairs:
        raise PipelineError(
            f"no two of {len(texts)} sentences without {UNKNOWN} have the same number of words",
            where="sentences: and split: of the analysis",
            expected="pairs of sentences of one length: of one the end is imputed, the other is left as it is",
            remedy="read more sentences",
        )
    return [pairs[number] for number in rng.permutation(len(pairs)).tolist()]


def cut(text: str, one_in: int) -> tuple[str, str]:
    """Split a sentence into known words and the last one in ``one_in``, rounded up; a single word is all unknown."""
    words = text.split(" ")
    known = len(words) - -(-len(words) // one_in)
    return " ".join(words[:known]), " ".join(words[known:])
