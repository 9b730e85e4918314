"""A trained system tried on one's own sentences: python -m pipeline_lib.sentences COMMAND --model FILE …

Sentences may be written as usual, in quotes. They are cut into tokens as the vocabulary of the model has them. A word
that it lacks is read as `<unk>`, and is named on stderr. `_` is a word that `impute` shall find.
"""

import argparse
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline_lib.analyses.imputer import Imputer, Search
from pipeline_lib.analyses.latent_space import LatentSpace, Points
from pipeline_lib.analyses.paths import line
from pipeline_lib.own_texts.model import PLACE, count, open_model, read_sentences
from pipeline_lib.stage.cli import report
from pipeline_lib.text.units import Units

LONGEST = 82  # most units of a sentence that is written, as many as the longest of the Penn Treebank has
MOST = 100_000  # texts of a command, which are all decoded before the first is printed
UNFILLED = "_"  # a word that is to be imputed


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
    one.add_argument("--count", type=_amount, default=5, help="how many (5)")
    seeded(one)
    one = command("encode", encode, "print the mean of the posterior of each sentence, a line of numbers each")
    one.add_argument("sentences", nargs="+")
    one = command("reconstruct", reconstruct, "decode the mean of the posterior of each sentence, and draws from it")
    one.add_argument("sentences", nargs="+")
    one.add_argument("--draws", type=_amount, default=3, help="draws from each posterior (3)")
    seeded(one)
    one = command("interpolate", interpolate, "decode points on the line from one sentence to another")
    one.add_argument("sentences", nargs=2, metavar="sentence")
    one.add_argument("--points", type=_two_or_more, default=9, help="with both ends (9)")
    one = command("impute", impute, f"find the words at {UNFILLED} in each sentence, as Table 3 does")
    one.add_argument("sentences", nargs="+")
    return parser


def _amount(text: str) -> int:
    if (number := count(text)) > MOST:
        raise argparse.ArgumentTypeError(f"{number:,} at once, and at most {MOST:,} are held in memory")
    return number


def _two_or_more(text: str) -> int:
    if (number := _amount(text)) < 2:
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


if __name__ == "__main__":
    run()
