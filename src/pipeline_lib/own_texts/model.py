"""A trained model, and texts of one's own as it reads them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.provenance import name_below, record_of
from pipeline_lib.models import saved
from pipeline_lib.models.system import System
from pipeline_lib.own_texts.same_run import refuse_of_another_run
from pipeline_lib.text.ids import UNKNOWN
from pipeline_lib.text.tokenisers import tokeniser
from pipeline_lib.text.units import Units, read_units

TOKENISERS = ("spaces", "english", "characters")  # all are tried; of equally good ones the first is taken
PLACE = "results/…/models/<corpus>/<system>/seed<k>/model.safetensors"
VOCABULARIES = ("words.parquet", "pieces.txt")


def count(text: str) -> int:
    """Read a number of the command line: digits alone."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def open_model(model: Path) -> tuple[System, Units]:
    """Load a model of a results folder, and the vocabulary of its corpus from the same folder.

    Raises:
        PipelineError: there is no such file, it is no model or not where a run leaves it, no vocabulary is where one is
            expected, or none fits the model, or it is not the one that the model was trained with.
    """
    if not model.is_file():
        raise PipelineError(
            "no such file",
            where=model,
            expected=PLACE,
            remedy="train it: `snakemake --cores 2 -- <file>`; `python -m pipeline_lib list` shows an example",
        )
    if model.name != Path(PLACE).name or model.absolute().parts[-5:-4] != ("models",):
        raise PipelineError(
            "not a model in the results of a run",
            where=model,
            expected=f"{PLACE}; the vocabulary is found by this path",
            remedy="name the model where its run left it, or copy it together with the folder `vocabulary` of the run",
        )
    corpus, results = (model.absolute().parents[level] for level in (2, 4))
    folder = results / "vocabulary" / corpus.name
    fault = PipelineError(
        f"no vocabulary of the corpus {corpus.name!r}",
        where=folder,
        expected=" or ".join(VOCABULARIES) + " of the run that trained the model",
        remedy="name the model where its run left it, or copy the folder `vocabulary` beside `models`",
    )
    record = record_of(model)
    for file in (folder / name for name in VOCABULARIES):
        if file.is_file() and (record is None or name_below(results, file) in record.read):
            refuse_of_another_run(model, file)
            units = read_units(file)
            try:
                return saved.load(model, units).system, units
            except PipelineError as error:
                fault = error  # of another size: perhaps the other vocabulary is the model's
    raise fault


def read_sentences(texts: Sequence[str], units: Units, may_lack: Sequence[str] = ()) -> list[str]:
    """Cut sentences into the tokens of a vocabulary, and name those on stderr that it lacks.

    Of the tokenisers, that one is taken which leaves the fewest letters in unknown words, so that plain English may be
    given to a model whose corpus came in tokens: a full stop that the corpus lacks is then less of a loss than the word
    that it stood at.

    Args:
        may_lack: words that are not named although the vocabulary lacks them.
    Raises:
        PipelineError: a sentence is empty.
    """
    found, known = [], {UNKNOWN, *may_lack}
    for number, text in enumerate(texts, 1):
        cut = [tokeniser(name).tokenise_array(pa.array([text]))[0].as_py() for name in TOKENISERS]
        best = min(cut, key=lambda tokens: sum(map(len, unknown_words(tokens, units, known))))
        if not best:
            raise PipelineError(
                "a sentence is empty",
                where=f"sentence {number} of the command line",
                expected='sentences in quotes, such as "i like the soup ."',
                remedy="write a sentence of one word or more",
            )
        if strange := list(dict.fromkeys(unknown_words(best, units, known))):
            print(f"not in the vocabulary, read as {UNKNOWN}: {', '.join(strange)}", file=sys.stderr)
        found.append(best)
    return found


def unknown_words(tokens: str, units: Units, known: set[str]) -> list[str]:
    """List the words that a vocabulary lacks, as often as they stand there, but for those taken for known."""
    words = [word for word in tokens.split() if word not in known]
    encoded = units.encode(pa.array(words, pa.string()))
    ids = [encoded.ids[start:end] for start, end in zip(encoded.offsets, encoded.offsets[1:], strict=False)]
    return [word for word, own in zip(words, ids, strict=True) if units.ids.unknown in own]
