"""A trained system answers contexts of one's own: python -m pipeline_lib.answers --model FILE "context" …

Contexts may be written as usual, in quotes, with " / " between the turns of a longer one. They are cut into tokens as
the vocabulary of the model has them. A word that it lacks is read as `<unk>`, and is named on stderr.
"""

import argparse
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from pipeline_lib.config.decoding import Decoding
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.graphs import read_graph
from pipeline_lib.examples.users import WORDS
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.files.side_tables import joined
from pipeline_lib.responses.generate import check_samples, generate, selections_of
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import UNKNOWN_USER
from pipeline_lib.sentences import PLACE, count, open_model, read_sentences
from pipeline_lib.stage.cli import report
from pipeline_lib.text.ids import TURN
from pipeline_lib.text.keywords import InverseDocumentFrequency, rank
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.turns import turns_apart
from pipeline_lib.text.units import Units
from pipeline_lib.text.unknown import UnknownWords

BETWEEN = " / "  # turns, as the tables of a run print them
NO_KEYWORD = -1


class Run(NamedTuple):
    """What the results folder of a model knows of its corpus."""

    results: Path
    corpus: str

    @classmethod
    def of(cls, model: Path) -> "Run":
        """Find the run that a model lies in (`sentences.open_model` has checked the place)."""
        return cls(model.absolute().parents[4], model.absolute().parents[2].name)

    def file(self, stage: str, name: str) -> Path:
        """Return where a stage leaves a file of the corpus."""
        return self.results / stage / self.corpus / f"{name}.parquet"

    @property
    def train(self) -> Path:
        """The training examples."""
        return self.file("filtered", "train")

    @property
    def users(self) -> Path:
        """The number of the responding user of each example, where the run has users."""
        return self.file("users", "responding")

    @property
    def user_words(self) -> Path:
        """The words that this user is known by, where a system reads them."""
        return self.file("users", "words")

    @property
    def graph(self) -> Path:
        """The graph of keywords, where a system reads it."""
        return self.file("graph", "keywords")


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
        type=_decoding,
        default="{}",
        help='as under `decoding:` of a configuration, such as "{kind: beam, size: 4}" or "{samples: 3}"; greedy',
    )
    return options


def _decoding(text: str) -> Decoding:
    try:
        settings: Decoding = TypeAdapter(Decoding).validate_python(yaml.safe_load(text))
        return settings
    except (ValidationError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def answers(asked: argparse.Namespace) -> list[str]:
    """Return for each context what the model read, and its answers, one a line."""
    system, units = open_model(asked.model)
    own = Run.of(asked.model)
    _check_contexts(own)
    check_samples(system, asked.decoding)
    contexts = read_contexts(asked.contexts, units)
    nodes = _nodes_of(own)
    keywords = keywords_of(contexts, own, asked.keyword, nodes)
    dataset = dataset_of(contexts, units, own, asked.user, keywords, nodes)
    system.eval()
    found: list[list[str]] = [[f"input\t{turns_apart(context)}"] for context in contexts]
    for lines, keyword in zip(found, keywords, strict=False):
        lines.append(f"keyword\t{keyword or 'none'}")
    rows = list(dataset.by_length(asked.decoding.batch_size))
    unknown = UnknownWords(pa.chunked_array([pa.array(contexts)]), units)
    for selection in selections_of(system):
        drawn = generate(system, units, dataset, unknown, rows, selection, asked.decoding, asked.seed)
        for sample, (texts, groups) in enumerate(drawn, 1):
            name = _named(selection, sample, len(drawn))
            for row, (lines, text) in enumerate(zip(found, texts, strict=True)):
                lines.append(f"{name}\t{text}" + ("" if groups is None else f"\tgroup {groups[row]}"))
    return [line for lines in found for line in lines]


def _check_contexts(own: Run) -> None:
    if not any(read_parquet(own.train, EXAMPLES, ["context"])["context"].slice(0, 1).to_pylist()):
        raise PipelineError(
            "the corpus has no contexts",
            where=own.train,
            expected="a system that answers something",
            remedy="try a system of sentences with `python -m pipeline_lib.sentences`",
        )


def _named(selection: str, sample: int, samples: int) -> str:
    parts = ["answer", *([str(sample)] if samples > 1 else []), *([f"({selection})"] if selection != "none" else [])]
    return " ".join(parts)


def read_contexts(texts: Sequence[str], units: Units) -> list[str]:
    """Cut contexts into tokens, with `<turn>` between turns; errors and warnings: see `sentences.read_sentences`."""
    return [f" {TURN} ".join(read_sentences(text.split(BETWEEN), units)) for text in texts]


def dataset_of(
    contexts: Sequence[str],
    units: Units,
    own: Run,
    user: str | None,
    keywords: Sequence[str | None],
    nodes: Mapping[str, int],
) -> ExampleDataset:
    """Return contexts without responses, with all that a system may read of them and that the run has.

    Args:
        keywords: of each context; none where the run has no graph of them.
        nodes: the number of each keyword in the graph.
    Raises:
        PipelineError: the run knows no such user.
    """
    n = len(contexts)
    nothing = Ragged(np.empty(0, np.int32), np.zeros(n + 1, np.int64))
    beside: dict[str, NDArray[np.int64]] = {}
    if user is not None or own.users.is_file():
        beside |= {name: np.repeat(values[None], n, 0) for name, values in _of_user(own, user, units.ids.pad).items()}
    graph = None
    if keywords:
        graph = read_graph(own.graph)
        node = [NO_KEYWORD if word is None else nodes[word] for word in keywords]
        beside["nodes"] = np.stack([node, *[np.full(n, NO_KEYWORD)] * 2], 1)
        beside["keywords"] = _first_units(keywords, units)
    return ExampleDataset(units.encode(pa.array(contexts, pa.string())), nothing, beside, units.ids, graph)


def _first_units(keywords: Sequence[str | None], units: Units) -> NDArray[np.int64]:
    """Return (N, 1), the unit by which a network tells each keyword; padding for none."""
    first = np.full((len(keywords), 1), units.ids.pad)
    cut = units.encode(pa.array([word for word in keywords if word is not None], pa.string()))
    first[[word is not None for word in keywords], 0] = cut.ids[cut.offsets[:-1]]
    return first


def _of_user(own: Run, user: str | None, pad: int) -> dict[str, NDArray[np.int64]]:
    """Return the number of a user and, where the run lists them, the words that the user is known by."""
    if user is None:
        return {"user": np.array(UNKNOWN_USER), "profile": np.full(WORDS, pad)}
    if not own.users.is_file():
        raise PipelineError(
            "the run knows no users",
            where=own.users,
            expected="the users of the corpus, of a run with a system that reads them",
            remedy="leave out `--user`",
        )
    table = read_parquet(own.train, EXAMPLES, ["example_id", "user"])
    said = table.filter(pc.equal(table["user"], user).fill_null(False))["example_id"].to_numpy()[:1]
    if not len(said) or joined(said, own.users, "user")[0] == UNKNOWN_USER:
        known = read_parquet(own.users, columns=["example_id", "user"]).filter(pc.field("user") > UNKNOWN_USER)
        names = table.filter(pc.is_in(table["example_id"], value_set=known["example_id"].combine_chunks()))["user"]
        raise PipelineError(
            f"no known user {user!r}",
            where=own.train,
            expected=did_you_mean(user, pc.unique(names).to_pylist()),
            remedy="name one of them, or leave out `--user` for an unknown one",
        )
    found = {"user": joined(said, own.users, "user")[0]}
    if own.user_words.is_file():
        found["profile"] = joined(said, own.user_words, "profile")[0]
    return found


def _nodes_of(own: Run) -> dict[str, int]:
    if not own.graph.is_file():
        return {}
    words = read_parquet(own.graph, columns=["keyword"])["keyword"]
    return {word: row for row, word in enumerate(words.to_pylist())}


def keywords_of(contexts: Sequence[str], own: Run, keyword: str | None, nodes: Mapping[str, int]) -> list[str | None]:
    """Return the keyword of each context: the given one, else the best that the graph of the run has.

    Keywords are ranked as those of English texts. Give one where the texts are in another language.

    Returns:
        None for a context without one; an empty list where the run has no graph of keywords and none is given.
    Raises:
        PipelineError: the graph lacks the given one, or there is none.
    """
    if not nodes:
        if keyword is None:
            return []
        raise PipelineError(
            "the run has no keywords",
            where=own.graph,
            expected="the graph of a run with a system that reads it",
            remedy="leave out `--keyword`",
        )
    if keyword is not None and keyword not in nodes:
        raise PipelineError(
            f"no keyword {keyword!r}",
            where=own.graph,
            expected=did_you_mean(keyword, [*nodes]),
            remedy="name one of them",
        )
    if keyword is not None:
        return [keyword] * len(contexts)
    rarity = InverseDocumentFrequency.count(own.train)
    found: list[str | None] = []
    for context in contexts:
        ranked: list[str] = rank(context, "english", rarity.documents) or rarity.best_word(context)
        found.append(next((word for word in ranked if word in nodes), None))
    return found


if __name__ == "__main__":
    run()
