"""The items that are scored: contexts, references and responses as token ids, with the model's likelihoods."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.ngrams import Matches, count_matches
from pipeline_lib.metrics.spoken import Spoken
from pipeline_lib.schemas.responses import APART, NO_GROUPS
from pipeline_lib.text.ragged import Ragged

Texts: TypeAlias = Sequence[str] | pa.Array | pa.ChunkedArray


Nats = Literal["reconstruction", "bound", "importance", "words"]


@dataclass(frozen=True)
class ReferenceLikelihood:
    """Likelihoods that a model gives the references, nats per item, (B,) float64; None where it has no such value."""

    tokens: np.ndarray  # end token counted
    nll: np.ndarray | None
    kl: np.ndarray | None
    bound: np.ndarray | None
    nll_importance: np.ndarray | None
    nll_end: np.ndarray | None = None  # the end token's part of nll and bound
    group_nats: np.ndarray | None = None  # what naming the group adds to kl
    context_use: np.ndarray | None = None  # lost of the bound when contexts are permuted
    z_use: np.ndarray | None = None  # lost of the reconstruction with z of another response
    mutual_information: np.ndarray | None = None  # log q(z | reference) - log q(z)
    chosen: bool = False  # nll and kl are those of one of several groups, chosen with the reference; bound is of all

    @property
    def latent(self) -> bool:
        """Tell whether the system has a latent variable: one without has no KL, or nothing but zeros."""
        return self.kl is not None and bool(self.kl.any())

    @property
    def reconstructs(self) -> bool:
        """Tell whether ``nll`` compares with that of others: z drawn from a posterior, and nothing else chosen.

        The least of several groups' values is chosen with the reference in hand, and falls with their number.
        """
        return self.latent and not self.chosen

    def of(self, nats: Nats) -> np.ndarray | None:
        """Choose between the forms of the likelihood; a system without a latent variable has one, which is exact.

        A system with an implicit prior has neither a KL nor a bound: of it only the reconstruction is known.

        reconstruction: z from the posterior, KL left out; bound: negative evidence lower bound; importance:
        importance-weighted estimate; words: the bound without the end token.
        """
        exact = self.kl is not None and not self.latent
        if nats == "reconstruction" or exact:
            chosen = self.nll
        else:
            chosen = self.nll_importance if nats == "importance" else self.bound
        if nats != "words":
            return chosen
        return None if chosen is None or self.nll_end is None else chosen - self.nll_end


@dataclass(frozen=True)
class Items:
    """B responses to n examples, tokenised once for all metrics; where each example has one response, B is n.

    Token ids index ``vocabulary``, which all three columns share. The unit of every statistic is the example.
    """

    vocabulary: pa.Array  # (V,) string
    contexts: Ragged
    references: Ragged
    responses: Ragged
    reference_item: np.ndarray  # (R,) int64 ascending: the response that a reference is held against
    likelihood: ReferenceLikelihood | None = None
    group: np.ndarray | None = None  # (B,) int64, the group that the system used; -1 where unknown
    label: np.ndarray | None = None  # (B,) int64, the reference's latent group; -1 where unknown
    example: np.ndarray | None = None  # (B,) int64, 0 to n-1 by ascending example id; None: a response is an example
    dialogue: np.ndarray | None = None  # (B,) int64, numbers from 0 of the examples' dialogues; None: each its own
    answered: bool = True  # false: the system makes no text, only likelihoods
    active_units: int | None = None  # latent dimensions in use
    user: np.ndarray | None = None  # (B,) int64, who responds; 0 for an unknown user
    spoken: Spoken | None = None  # what users said in training
    converged: bool | None = None  # whether the training of the system had come to rest
    of_cluster: "Items | None" = None  # the same responses against all references of their clusters
    apart: str = ""  # of `schemas.responses.APART`: why the system competes with no other; empty: it does
    _known: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, contexts: Texts, references: Texts | Sequence[Sequence[str]], responses: Texts) -> "Items":
        """Read texts of space-joined tokens; a reference may be a list of several."""
        flat, item = _flatten(references)
        if len(contexts) != len(responses) or len(np.unique(item)) != len(responses):
            raise ValueError(f"{len(contexts)} contexts and {len(responses)} responses, references of other items")
        vocabulary, columns = encode(_strings(contexts), flat, _strings(responses))
        return cls(vocabulary, columns[0], columns[1], columns[2], item)

    @classmethod
    def from_table(cls, table: pa.Table, further: pa.Table | None = None) -> "Items":
        """Read rows of `schemas.responses`.

        Args:
            further: `schemas.references`, beside the reference that each row has.
        Raises:
            PipelineError: a likelihood is null, NaN or infinite in some rows, or a response null in some rows.
        """

        def nats(name: str) -> np.ndarray | None:
            return _complete(table, name) if name in table.column_names else None

        likelihood = ReferenceLikelihood(
            tokens=table["tokens"].to_numpy().astype(np.float64),
            nll=nats("nll"),
            kl=nats("kl"),
            bound=nats("bound"),
            nll_importance=nats("nll_importance"),
            nll_end=nats("nll_end"),
            group_nats=nats("group_nats"),
            context_use=nats("context_use"),
            z_use=nats("z_use"),
            mutual_information=nats("mutual_information"),
            chosen=_has_groups(table),
        )
        references = table["reference"] if further is None else _with_further(table, further)
        plain = cls.of(table["context"], references, table["response"].fill_null(""))
        groups, labels = _groups(table["group"]), _groups(table["label"])
        known = replace(
            plain,
            likelihood=likelihood,
            group=groups,
            label=labels,
            example=_examples(table),
            apart=next((name for name in APART if name in table.column_names), ""),
        )
        return replace(known, answered=_answered(table))

    def __len__(self) -> int:
        return len(self.responses)

    @property
    def n_examples(self) -> int:
        return len(self) if self.example is None else int(self.example.max()) + 1

    @property
    def dialogues(self) -> np.ndarray:
        """Number of each example's dialogue, (n,) int64."""
        if self.dialogue is None:
            return np.arange(self.n_examples)
        if self.example is None:
            return self.dialogue
        return self.dialogue[np.unique(self.example, return_index=True)[1]]

    def by_example(self, values: np.ndarray) -> np.ndarray:
        """Average (B,) or (B, P) values of the responses over each example's: (n,) or (n, P) float64."""
        if self.example is None:
            return values
        columns = [np.bincount(self.example, weights=column) for column in values.reshape(len(self), -1).T]
        means = np.stack(columns, axis=1) / np.bincount(self.example)[:, None]
        return means.reshape(-1, *values.shape[1:])

    @cached_property
    def matches(self) -> Matches:
        """Count clipped n-gram matches of responses and references, which all BLEU variants share."""
        return count_matches(self.responses, self.references, self.reference_item, len(self.vocabulary))

    @cached_property
    def ended_matches(self) -> Matches:
        """Count the same matches with an end token after every text, as some published scripts have it."""
        ended, end = len(self.vocabulary) + 1, len(self.vocabulary)
        return count_matches(
            self.responses.followed_by(end), self.references.followed_by(end), self.reference_item, ended
        )

    def best_of_example(self, values: np.ndarray) -> np.ndarray:
        """Give each of (B,) responses the greatest value among those to its example."""
        if self.example is None:
            return values
        best = np.full(self.n_examples, -np.inf)
        np.maximum.at(best, self.example, values)
        return best[self.example]


def encode(*columns: pa.Array) -> tuple[pa.Array, list[Ragged]]:
    """Split columns of space-joined tokens and number their tokens from one vocabulary, in order of appearance."""
    tokens = [pc.split_pattern(column, " ") for column in columns]
    flat = pc.dictionary_encode(pa.concat_arrays([column.flatten() for column in tokens]))
    ids = flat.indices.to_numpy().astype(np.int64)
    filled = pc.not_equal(flat.dictionary, "").to_numpy(zero_copy_only=False)[ids]  # "" splits into one empty token
    texts = []
    start = 0
    for column in tokens:
        lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
        stop = start + int(lengths.sum())
        texts.append(Ragged.of_lengths(ids[start:stop], lengths).keep(filled[start:stop]))
        start = stop
    return flat.dictionary, texts


def _flatten(references: Texts | Sequence[Sequence[str]]) -> tuple[pa.Array, np.ndarray]:
    if isinstance(references, pa.Array | pa.ChunkedArray) or all(isinstance(one, str) for one in references):
        return _strings(references), np.arange(len(references))
    counts = [len(several) for several in references]
    return _strings([one for several in references for one in several]), np.repeat(np.arange(len(counts)), counts)


def _with_further(table: pa.Table, further: pa.Table) -> list[list[str]]:
    by_example: dict[int, list[str]] = {}
    for example, reference in zip(further["example_id"].to_pylist(), further["reference"].to_pylist(), strict=True):
        by_example.setdefault(example, []).append(reference)
    own = zip(table["example_id"].to_pylist(), table["reference"].to_pylist(), strict=True)
    return [[reference, *by_example.get(example, ())] for example, reference in own]


def _strings(texts: Texts) -> pa.Array:
    column = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _groups(column: pa.ChunkedArray) -> np.ndarray | None:
    return None if column.null_count == len(column) else column.cast(pa.int64()).fill_null(-1).to_numpy()


def _has_groups(table: pa.Table) -> bool:
    """Tell whether the system chooses one of several groups for each response, by whatever rule."""
    return "selection" in table.column_names and bool(pc.any(pc.not_equal(table["selection"], NO_GROUPS)).as_py())


def _examples(table: pa.Table) -> np.ndarray | None:
    if not pc.any(pc.greater(table["sample"], 0)).as_py():
        return None
    return np.unique(table["example_id"].to_numpy(), return_inverse=True)[1].astype(np.int64)


def _answered(table: pa.Table) -> bool:
    """Tell whether the system makes texts; one that only tells likelihoods has null in place of every response."""
    if 0 < (without := table["response"].null_count) < len(table):
        raise PipelineError(
            f"{without} of {len(table)} responses are null",
            where="column 'response'",
            expected="a text in every row, or null in every row of a system that makes no texts",
            remedy="complete the column; an empty response is an empty text",
        )
    return not without


def _complete(table: pa.Table, name: str) -> np.ndarray | None:
    column = table[name]
    if column.null_count == len(column):
        return None
    values = column.to_numpy().astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise PipelineError(
            f"column {name!r} is {column[row].as_py()} in {int((~np.isfinite(values)).sum())} of {len(values)} rows",
            where=f"first at example {table['example_id'][row].as_py()}",
            expected="a finite number in every row, or null in every row",
            remedy="if the responses come from a foreign system, complete the column or leave it out; else the run "
            "diverged: lower its learning rate and train again",
        )
    return values
