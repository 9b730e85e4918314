"""A trained system answers contexts of one's own: python -m pipeline_lib.answers --model FILE "context" …

Contexts may be written as usual, in quotes, with " / " between the turns of a longer one. They are cut into tokens as
the vocabulary of the model has them. A word that it lacks is read as `<unk>`, and is named on stderr.
"""

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.checking import validated
from pipeline_lib.config.decoding import Decoding
from pipeline_lib.config.loading import parse_yaml
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.own_texts.contexts import Inputs, dataset_of, keywords_of, read_contexts
from pipeline_lib.own_texts.model import PLACE, count, open_model
from pipeline_lib.responses.generate import check_samples, generate, selections_of
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.stage.cli import report
from pipeline_lib.text.turns import turns_apart
from pipeline_lib.text.unknown import UnknownWords


def run() -> None:
    """Do what the command line asks for."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    asked = parser().parse_args()
    report(lambda: print("\n".join(answers(asked))))


def parser() -> argparse.ArgumentParser:
    """Return the options of the command."""
    options = argparse.ArgumentParser(prog="python -m pipeline_lib.answers", description=__doc__)
    options.add_argument("--model", type=Path, required=True, help=PLACE)
    options.add_argument("contexts", nargs="+", metavar="context")
    options.add_argument("--user", help="who shall answer, by the name in the corpus; an unknown user")
    options.add_argument(
        "--keyword", help="the keyword to answer to; the best of the context, where a run has keywords"
    )
    options.add_argument("--seed", type=count, default=1, help="of what is drawn (1)")
    options.add_argument(
        "--decoding",
        default="{}",
        help='as under `decoding:` of a configuration, such as "{kind: beam, size: 4}" or "{samples: 3}"; greedy',
    )
    return options


def answers(asked: argparse.Namespace) -> list[str]:
    """Return for each context what the model read, and its answers, one a line."""
    decoding: Decoding = validated(Decoding, parse_yaml(asked.decoding, "--decoding"), "--decoding", "decoding")
    system, units = open_model(asked.model)
    inputs = Inputs.of(asked.model)
    _check_contexts(inputs)
    check_samples(system, decoding)
    contexts = read_contexts(asked.contexts, units)
    keywords = keywords_of(contexts, inputs, units, asked.keyword)
    dataset = dataset_of(contexts, units, inputs, asked.user, keywords)
    system.eval()
    found = [[f"input\t{turns_apart(context)}"] for context in contexts]
    for lines, words in zip(found, keywords, strict=False):  # of a system that reads none there are none
        lines.append(f"keyword\t{_told(words[:1] if inputs.nodes else words)}")
    rows = list(dataset.by_length(decoding.batch_size))
    unknown = UnknownWords(pa.chunked_array([pa.array(contexts)]), units)
    for selection in selections_of(system):
        drawn = generate(system, units, dataset, unknown, rows, selection, decoding, asked.seed)
        for sample, (texts, groups) in enumerate(drawn, 1):
            name = _named(selection, sample, len(drawn))
            for row, (lines, text) in enumerate(zip(found, texts, strict=True)):
                lines.append(f"{name}\t{text}" + ("" if groups is None else f"\tgroup {groups[row]}"))
    return [line for lines in found for line in lines]


def _check_contexts(inputs: Inputs) -> None:
    if not any(read_parquet(inputs.train, EXAMPLES, ["context"])["context"].slice(0, 1).to_pylist()):
        raise PipelineError(
            "the corpus has no contexts",
            where=inputs.train,
            expected="a system that answers something",
            remedy="try a system of sentences with `python -m pipeline_lib.sentences`",
        )


def _told(keywords: Sequence[str]) -> str:
    return ", ".join(keywords) or "none"


def _named(selection: str, sample: int, samples: int) -> str:
    parts = ["answer", *([str(sample)] if samples > 1 else []), *([f"({selection})"] if selection != "none" else [])]
    return " ".join(parts)


if __name__ == "__main__":
    run()
