"""A trained system tried on one's own sentences: python -m pipeline_lib.sentences COMMAND --model FILE …

Sentences may be written as usual, in quotes. They are cut into tokens as the vocabulary of the model has them. A word
that it lacks is read as `<unk>`, and is named on stderr. `_` is a word that `impute` shall find.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.analyses.imputer import Imputer, Search
from pipeline_lib.analyses.latent_space import LatentSpace, Points
from pipeline_lib.analyses.paths import line
from pipeline_lib.errors import PipelineError
from pipeline_lib.models import saved
from pipeline_lib.models.system import System
from pipeline_lib.stage.cli import report
from pipeline_lib.text.ids import UNKNOWN
from pipeline_lib.text.tokenisers import tokeniser
from pipeline_lib.text.units import Units, read_units

LONGEST = 82  # most units of a sentence that is written, as many as the longest of the Penn Treebank has
TOKENISERS = ("spaces", "english", "characters")  # all are tried; of equally good ones the first is taken
UNFILLED = "_"  # a word that is to be imputed
PLACE = "results/…/models/<corpus>/<system>/seed<k>/model.safetensors"
VOCABULARIES = ("words.parquet", "pieces.txt")


def run() -> None:
    """Do what the command line asks for."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    asked = _parser().parse_args()
    report(lambda: _print(asked.lines(asked)))


def _print(lines: Sequence[str]) -> None:
    for text in lines:
        print(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline_lib.sentences", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, lines: Callable[[argparse.Namespace], list[str]], meaning: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=meaning, description=meaning)
        one.add_argument("--model", type=Path, required=True, help=PLACE)
        one.set_defaults(lines=lines)
        return one

    def seeded(one: argparse.ArgumentParser) -> None:
        one.add_argument("--seed", type=count, default=1, help="of what is drawn (1)")

    one = command("sample", sample, "write sentences that are decoded from draws of the prior")
    one.add_argument("--count", type=count, default=5, help="how many (5)")
    seeded(one)
    one = command("encode", encode, "print the mean of the posterior of each sentence, a line of numbers each")
    one.add_argument("sentences", nargs="+")
    one = command("reconstruct", reconstruct, "decode the mean of the posterior of each sentence, and draws from it")
    one.add_argument("sentences", nargs="+")
    one.add_argument("--draws", type=count, default=3, help="draws from each posterior (3)")
    seeded(one)
    one = command("interpolate", interpolate, "decode points on the line from one sentence to another")
    one.add_argument("sentences", nargs=2, metavar="sentence")
    one.add_argument("--points", type=_two_or_more, default=9, help="with both ends (9)")
    one = command("impute", impute, f"find the words at {UNFILLED} in each sentence, as Table 3 does")
    one.add_argument("sentences", nargs="+")
    return parser


def count(text: str) -> int:
    """Read a number of the command line: digits alone."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _two_or_more(text: str) -> int:
    if (number := count(text)) < 2:
        raise argparse.ArgumentTypeError(f"{number}, but a path has two ends")
    return number


# --- commands ------------------------------------------------------------------------------------------------------


def sample(asked: argparse.Namespace) -> list[str]:
    """Return sentences from the prior."""
    space, _ = _opened(asked.model)
    return [text for text, _ in space.decode(space.prior(asked.count, np.random.default_rng(asked.seed)))]


def encode(asked: argparse.Namespace) -> list[str]:
    """Return the posterior mean of each sentence, its numbers separated by tabs."""
    space, units = _opened(asked.model)
    means, _ = space.posteriors(read_sentences(asked.sentences, units))
    return ["\t".join(f"{value:.6f}" for value in mean) for mean in means]


def reconstruct(asked: argparse.Namespace) -> list[str]:
    """Return for each sentence what the model read, the decoded mean and the decoded draws."""
    space, units = _opened(asked.model)
    texts = read_sentences(asked.sentences, units)
    means, deviations = space.posteriors(texts)
    noise = np.random.default_rng(asked.seed).standard_normal((asked.draws, *means.shape))
    points = np.stack([means, *(means + deviations * noise)], 1)
    found = []
    for text, of_sentence in zip(texts, points, strict=True):
        decoded = space.decode(of_sentence)
        names = ["mean", *(f"draw {draw + 1}" for draw in range(asked.draws))]
        found += [f"input\t{text}", *(f"{name}\t{one.text}" for name, one in zip(names, decoded, strict=True))]
    return found


def interpolate(asked: argparse.Namespace) -> list[str]:
    """Return t and the decoded text of each point of a path."""
    space, units = _opened(asked.model)
    ends, _ = space.posteriors(read_sentences(asked.sentences, units))
    at = np.linspace(0, 1, asked.points)
    points: Points = line(ends[:1], ends[1:], at)[0]
    return [f"{t:.3f}\t{decoded.text}" for t, decoded in zip(at, space.decode(points), strict=True)]


def impute(asked: argparse.Namespace) -> list[str]:
    """Return each sentence with its unknown words filled in."""
    system, units = open_model(asked.model)
    imputer = Imputer(system, units, Search())
    texts = read_sentences(asked.sentences, units, may_lack=[UNFILLED])
    return [_filled(imputer, text.split()) for text in texts]


def _filled(imputer: Imputer, words: list[str]) -> str:
    found = imputer.sentence([None if word == UNFILLED else word for word in words])
    if len(found.split()) != len(words):  # word pieces of an unknown word
        return found
    # a word that the model lacks, and has read as <unk>, stays as it was given
    return " ".join(new if word == UNFILLED else word for word, new in zip(words, found.split(), strict=True))


# --- reading -------------------------------------------------------------------------------------------------------


def _opened(model: Path) -> tuple[LatentSpace, Units]:
    system, units = open_model(model)
    return LatentSpace(system, units, LONGEST), units


def open_model(model: Path) -> tuple[System, Units]:
    """Load a model of a results folder, and the vocabulary of its corpus from the same folder.

    Raises:
        PipelineError: there is no such file, it is no model or not where a run leaves it, or no vocabulary is where one
            is expected, or none fits the model.
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
    for file in (folder / name for name in VOCABULARIES):
        if file.is_file():
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


if __name__ == "__main__":
    run()
