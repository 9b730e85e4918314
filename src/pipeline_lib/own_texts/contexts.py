"""Contexts of one's own, with what a trained system reads beside them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.keywords import Keywords
from pipeline_lib.errors import REMAKE, PipelineError, did_you_mean
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.graphs import read_graph
from pipeline_lib.examples.users import WORDS
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.files.provenance import record_of
from pipeline_lib.files.side_tables import joined
from pipeline_lib.own_texts.model import read_sentences, unknown_words
from pipeline_lib.own_texts.same_run import refuse_of_another_run
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import UNKNOWN_USER
from pipeline_lib.text.ids import TURN
from pipeline_lib.text.keywords import Extractor, InverseDocumentFrequency
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.tokenisers import tokeniser
from pipeline_lib.text.turns import joined_turns
from pipeline_lib.text.units import Units

BETWEEN = re.compile(r"(?:^|\s)/(?=\s|$)")  # turns, as the tables of a run print them
NO_KEYWORD = -1


@dataclass(frozen=True)
class Inputs:
    """What a model reads beside texts, and where its run has it.

    Attributes:
        model: its file, in the results of its run (`own_texts.model.open_model` has checked the place).
        reads: the file of each further field of a batch.
    """

    model: Path
    reads: Mapping[str, Path]

    @classmethod
    def of(cls, model: Path) -> "Inputs":
        """Read them from the record of a model; one without a record reads texts alone.

        Raises:
            PipelineError: a file is not the one that the model was made from.
        """
        record, results = record_of(model), model.absolute().parents[4]
        pairs = (each.split("=", 1) for each in (record.plan.settings.get("reads", []) if record else []))
        reads = {field: results / file for field, file in pairs}
        for file in reads.values():
            refuse_of_another_run(model, file)
        return cls(model, reads)

    def of_corpus(self, stage: str, name: str) -> Path:
        """Return where a stage of the run leaves a file of the corpus.

        Raises:
            PipelineError: there is one of another run.
        """
        corpus, results = (self.model.absolute().parents[level] for level in (2, 4))
        file = results / stage / corpus.name / f"{name}.parquet"
        refuse_of_another_run(self.model, file)
        return file

    @property
    def train(self) -> Path:
        """The training examples."""
        return self.of_corpus("filtered", "train")

    @cached_property
    def nodes(self) -> dict[str, int]:
        """The number of each keyword in the graph; none of a system that reads no graph."""
        if "graph" not in self.reads:
            return {}
        words = read_parquet(self.reads["graph"], columns=["keyword"])["keyword"]
        return {word: row for row, word in enumerate(words.to_pylist())}


def read_contexts(texts: Sequence[str], units: Units) -> list[str]:
    """Cut contexts into tokens, with `<turn>` between turns; warnings: see `read_sentences`.

    Raises:
        PipelineError: a context or a turn is empty, or has several turns where no context of the corpus has.
    """
    of_several = not unknown_words(TURN, units, set())
    contexts = []
    for number, text in enumerate(texts, 1):
        turns = [turn.strip() for turn in BETWEEN.split(text)]
        if not all(turns) or (len(turns) > 1 and not of_several):
            raise PipelineError(
                f"{len(turns)} turns, but all contexts of the corpus have one" if all(turns) else "a turn is empty",
                where=f"context {number} of the command line, {text!r}",
                expected='a text in quotes, such as "where is the soup ?"'
                + (', with " / " between the turns of a longer one' if of_several else ""),
                remedy="write the turn that shall be answered" + (", and those before it" if of_several else ""),
            )
        contexts.append(joined_turns(read_sentences(turns, units)))
    return contexts


def dataset_of(
    contexts: Sequence[str], units: Units, inputs: Inputs, user: str | None, keywords: Sequence[Sequence[str]]
) -> ExampleDataset:
    """Return contexts without responses, with what the system reads beside them.

    Args:
        user: the name of who shall respond; None: nobody who is known.
        keywords: of each context, the best first, as `keywords_of` gives them.
    Raises:
        PipelineError: the system reads no users, or the corpus has no such user.
    """
    n = len(contexts)
    nothing = Ragged(np.empty(0, np.int32), np.zeros(n + 1, np.int64))
    of_user = _of_user(inputs, user, units.ids.pad)
    beside = {field: np.repeat(values[None], n, 0) for field, values in of_user.items()}
    if keywords:
        node = [inputs.nodes[best[0]] if best and inputs.nodes else NO_KEYWORD for best in keywords]
        beside["nodes"] = np.stack([node, *[np.full(n, NO_KEYWORD)] * 2], 1)
        beside["keywords"] = _first_units(keywords, units)
    graph = read_graph(inputs.reads["graph"]) if "graph" in inputs.reads else None
    return ExampleDataset(units.encode(pa.array(contexts, pa.string())), nothing, beside, units.ids, graph)


def _first_units(keywords: Sequence[Sequence[str]], units: Units) -> NDArray[np.int64]:
    """Return (N, most), the unit by which a network tells each keyword, filled up with padding."""
    first = np.full((len(keywords), max(1, *map(len, keywords))), units.ids.pad)
    for row, words in enumerate(keywords):
        cut = units.encode(pa.array(words, pa.string()))
        first[row, : len(words)] = cut.ids[cut.offsets[:-1]]
    return first


def _of_user(inputs: Inputs, user: str | None, pad: int) -> dict[str, NDArray[np.int64]]:
    """Return the number of a user, and the words that the user is known by, as far as the system reads them."""
    read = {field: inputs.reads[field] for field in ("user", "profile") if field in inputs.reads}
    if user is None:
        unknown = {"user": np.array(UNKNOWN_USER), "profile": np.full(WORDS, pad)}
        return {field: unknown[field] for field in read}
    if not read:
        raise _unread("users", inputs, "--user")
    users, train = inputs.of_corpus("users", "responding"), read_parquet(inputs.train, EXAMPLES, ["example_id", "user"])
    said = train.filter(pc.equal(train["user"], user).fill_null(False))["example_id"].to_numpy()[:1]
    if not len(said) or joined(said, users, "user")[0] == UNKNOWN_USER:
        known = read_parquet(users, columns=["example_id", "user"]).filter(pc.field("user") > UNKNOWN_USER)
        names = train.filter(pc.is_in(train["example_id"], value_set=known["example_id"].combine_chunks()))["user"]
        raise PipelineError(
            f"no known user {user!r}",
            where=inputs.train,
            expected=did_you_mean(user, pc.unique(names).to_pylist()),
            remedy="name one of them, or leave out `--user` for an unknown one",
        )
    return {field: joined(said, file, field)[0] for field, file in read.items()}


def keywords_of(contexts: Sequence[str], inputs: Inputs, units: Units, keyword: str | None) -> list[list[str]]:
    """Return the keywords of each context: the given one, else those that the run would find, the best first.

    Of a system that reads the graph these are keywords of the graph.

    Returns:
        An empty list of a system that reads none.
    Raises:
        PipelineError: the graph lacks the given one, the system reads none, or nothing says how they are found.
    """
    if not {"nodes", "keywords"} & inputs.reads.keys():
        if keyword is None:
            return []
        raise _unread("keywords", inputs, "--keyword")
    if keyword is None:
        found = _ranked(contexts, inputs)
        return [[word for word in words if word in inputs.nodes] for words in found] if inputs.nodes else found
    (word,) = read_sentences([keyword], units)
    if inputs.nodes and word not in inputs.nodes:
        raise PipelineError(
            f"no keyword {word!r}",
            where=inputs.reads["graph"],
            expected=did_you_mean(word, [*inputs.nodes]),
            remedy="name one of them",
        )
    return [[word]] * len(contexts)


def _ranked(contexts: Sequence[str], inputs: Inputs) -> list[list[str]]:
    """Rank the keywords of contexts as the run does those of its own."""
    record = record_of(file := inputs.of_corpus("keywords", "train"))
    if record is None:
        raise PipelineError(
            "nothing says how the run finds keywords",
            where=file,
            expected="the keywords of the training split, with the record of the job that found them",
            remedy=f"{REMAKE}, or name a keyword with `--keyword`",
        )
    settings = record.plan.settings
    extractor = Extractor(
        InverseDocumentFrequency.count(inputs.train),
        Keywords.model_validate(settings["settings"]),
        tokeniser(settings["tokeniser"]).LANGUAGE,
    )
    texts = pa.array(contexts, pa.string())
    ranked = extractor(
        pa.RecordBatch.from_arrays(
            [pa.array(range(len(contexts))), texts, texts], names=["example_id", "context", "response"]
        )
    )
    found: list[list[str]] = ranked["context_keywords"].to_pylist()
    return found


def _unread(what: str, inputs: Inputs, option: str) -> PipelineError:
    return PipelineError(
        f"the system reads no {what}",
        where=inputs.model,
        expected=f"a system whose `reads:` has {what}",
        remedy=f"leave out `{option}`, or try another model of the run",
    )
