"""Windows over dialogues: some utterances of context, then the response (SepaCVAE: one of each)."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.corpora import Division, Window
from pipeline_lib.corpora.division import split_of_windows
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, parquet_writer, read_parquet, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES, HELD_OUT
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.stage.screen import warn
from pipeline_lib.text.ids import END, PADDING, START, TURN

log = logging.getLogger(__name__)

ACROSS_GAP, LEAKED = "across_gap", "leaked"  # names of counts
_MOST_WITHOUT = 0.5  # share of dialogues without a window above which the user is warned

_RESERVED = (PADDING, START, END, TURN)  # words whose ids mean something else to a model than a word
_COMPACT_ROWS = 2_000_000  # rows of partial token counts after which they are added up


def extract_examples(
    dialogues: Path,
    window: Window,
    tokenise: Callable[[pa.Array], pa.Array],
    outputs: Mapping[str, Path],
    tokens: Path,
    division: Division | None = None,
    of_pairs: bool = False,
) -> dict[str, dict[str, int]]:
    """Write the examples of every split and the counts of all tokens, in one pass and bounded memory.

    A window covers turns whose numbers follow one another; examples with an utterance without a token are dropped.
    Tokens are counted per utterance: one that is in several windows, or in none, counts once.

    Args:
        dialogues: a file of `DIALOGUES`, sorted by dialogue and turn.
        window: which turns become examples.
        tokenise: `tokenise_array` of the corpus's tokeniser.
        outputs: the file of each split, of `EXAMPLES`; ``example_id`` runs over the splits in corpus order.
        tokens: file of `TOKENS`, most frequent first, equal counts in alphabetical order.
        division: divides windows among the splits one by one; None: each is in the split of its dialogue.
        of_pairs: gaps keep the pairs of a dialogue apart, so that none loses a window.
    Returns:
        For each split: the number of examples, of those dropped for an utterance without a token (``empty``), and of
        windows that there would be if turns around gaps were neighbours (``across_gap``). Of windows that are divided
        one by one also the examples whose response is part of a training context (``leaked``).
    Raises:
        PipelineError: a split of the corpus has no example, or a word is one of `_RESERVED`; no output is written. A
            corpus without a split at all, such as one that probes read, has an empty file for it.
    """
    counter = TokenCounter()
    windows = _Windows(window)
    counts = {split: dict.fromkeys(("examples", "empty", ACROSS_GAP), 0) for split in outputs}
    total = 0
    with ExitStack() as files:
        writers = {split: files.enter_context(parquet_writer(path, EXAMPLES)) for split, path in outputs.items()}
        for cut in windows.cuts(_tokenised(dialogues, tokenise, counter)):
            examples, whole = cut.examples.filter(cut.spoken), _splits(cut.examples, cut.split, division)
            split = whole.filter(cut.spoken)
            example_id = np.arange(examples.num_rows) + total
            total += examples.num_rows
            examples = examples.set_column(0, EXAMPLES.field("example_id"), pa.array(example_id, pa.int64()))
            for name, writer in writers.items():
                own = examples.filter(pc.equal(split, name))
                counts[name]["examples"] += own.num_rows
                counts[name]["empty"] += _number_of(name, whole) - own.num_rows
                counts[name][ACROSS_GAP] += 0 if of_pairs else _number_of(name, cut.across_gap)
                if own.num_rows:
                    writer.write_batch(own)
        # windows that are divided one by one may leave a split without any, which no turn tells
        needed = windows.splits if division is None else set(outputs)
        _check({split: own for split, own in counts.items() if split in needed}, window, windows, dialogues)
        counted = counter.table()
        _check_words(counted, dialogues, tokenise)
        write_parquet(tokens, counted, TOKENS)
    _report(counts, windows, dialogues)
    if division is not None:
        _count_leaked(counts, outputs, window, dialogues)
    return counts


def _splits(examples: pa.RecordBatch, of_dialogues: pa.Array, division: Division | None) -> pa.Array:
    """Return the split of each of (N) windows."""
    if division is None:
        return of_dialogues
    splits = split_of_windows(examples["dialogue_id"].to_pylist(), examples["turn"].to_pylist(), division)
    return pa.array(splits, pa.string())


def _count_leaked(
    counts: dict[str, dict[str, int]], outputs: Mapping[str, Path], window: Window, dialogues: Path
) -> None:
    """Count the held-out examples whose response is in the context of a training example, and warn of them."""
    known = {(name, turn + back) for name, turn in _places(outputs["train"]) for back in range(window.context)}
    for split, path in outputs.items():
        responses = [(name, turn + window.context) for name, turn in _places(path)] if split != "train" else []
        counts[split][LEAKED] = sum(response in known for response in responses)
    leaked, held_out = (sum(counts[split][count] for split in HELD_OUT) for count in (LEAKED, "examples"))
    warn(
        f"corpus {dialogues.parent.name}: {leaked:,} of {held_out:,} held-out responses ({leaked / held_out:.1%}) are "
        "part of a training context, since `window: {split: window}` divides the windows of a dialogue"
    )


def _places(path: Path) -> list[tuple[str, int]]:
    """List dialogue and first turn of each example of a file."""
    table = read_parquet(path, EXAMPLES, ["dialogue_id", "turn"])
    return list(zip(table["dialogue_id"].to_pylist(), table["turn"].to_pylist(), strict=True))


def _number_of(name: str, splits: pa.Array) -> int:
    return pc.equal(splits, name).true_count


class TokenCounter:
    """Counts tokens batch by batch; partial counts are Arrow tables, added up now and then."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, texts: pa.Array, train: pa.Array) -> None:
        """Count the space-separated tokens of (N) texts; ``train`` (N) bool says which are of the training split."""
        for is_train in (True, False):
            words = pc.split_pattern(texts.filter(pc.equal(train, is_train)), " ").flatten()
            counts = pc.value_counts(words)
            number = counts.field("counts")
            part = {"token": counts.field("values"), "count": number}
            part["train_count"] = number if is_train else pa.repeat(pa.scalar(0, pa.int64()), len(number))
            self._parts.append(pa.table(part))
            self._rows += len(number)
        if self._rows > _COMPACT_ROWS:
            self._parts = [self._sum()]
            self._rows = 0

    def table(self) -> pa.Table:
        """Return the counts so far, of `TOKENS`, without the empty token."""
        total = self._sum()
        return total.filter(pc.not_equal(total["token"], "")).sort_by([("count", "descending"), ("token", "ascending")])

    def _sum(self) -> pa.Table:
        total = pa.concat_tables(self._parts).group_by("token").aggregate([("count", "sum"), ("train_count", "sum")])
        return total.rename_columns({"count_sum": "count", "train_count_sum": "train_count"}).select(TOKENS.names)


def _tokenised(
    dialogues: Path, tokenise: Callable[[pa.Array], pa.Array], counter: TokenCounter
) -> Iterator[pa.RecordBatch]:
    for batch in iter_parquet(dialogues, DIALOGUES):
        texts = tokenise(batch.column("text"))
        counter.add(texts, pc.equal(batch.column("split"), "train"))
        yield batch.set_column(DIALOGUES.get_field_index("text"), DIALOGUES.field("text"), texts)


def _check_words(counted: pa.Table, dialogues: Path, tokenise: Callable[[pa.Array], pa.Array]) -> None:
    """Check by the counts of tokens that no word of the corpus is reserved; only a fault is looked up in its text."""
    found = counted.filter(pc.is_in(counted["token"], value_set=pa.array(_RESERVED)))["token"].to_pylist()
    if not found:
        return
    for batch in iter_parquet(dialogues, DIALOGUES):
        has_word = pc.match_substring_regex(tokenise(batch.column("text")), f"(^| ){found[0]}( |$)")
        if (row := pc.index(has_word, True).as_py()) >= 0:
            where = f"{dialogues}, dialogue {batch.column('dialogue_id')[row]}, turn {batch.column('turn')[row]}"
            break
    raise PipelineError(
        f"the corpus has the word {found[0]!r}",
        where=where,
        expected=f"texts without the words {', '.join(_RESERVED)}, which are marks of the models",
        remedy="replace or delete them in the corpus; `tokeniser: english` divides them into several words",
    )


class _Cut(NamedTuple):
    """Windows over some rows."""

    examples: pa.RecordBatch  # of (N) windows; `example_id` is still 0
    split: pa.Array  # (N) string
    spoken: pa.BooleanArray  # (N), whether all their utterances have tokens
    across_gap: pa.Array  # string, the splits of further windows, left out because they reach over a gap


class _Windows:
    """Slides a window over dialogues that come batch by batch.

    Attributes:
        turns: their number.
        splits: those that have turns.
        dialogues: counts them.
        with_window: counts those that have a window.
    """

    def __init__(self, window: Window) -> None:
        self._context, self._ends_only = window.context, window.every == "document"
        self.turns = 0
        self.splits: set[str] = set()
        self.dialogues, self.with_window = _DialogueCounter(), _DialogueCounter()

    def cuts(self, batches: Iterator[pa.RecordBatch]) -> Iterator[_Cut]:
        """Cut the windows of every batch.

        The rows that a window of the next batch may need are carried to it: too few to hold a window themselves, but
        where windows are to end with their dialogue, for then the last row, perhaps the end of one, is carried too.
        """
        pending = int(self._ends_only)
        carried: pa.RecordBatch | None = None
        for batch in batches:
            self.turns += batch.num_rows
            self.splits.update(pc.unique(batch.column("split")).to_pylist())
            self.dialogues.add(batch.column("dialogue_id"))
            rows = pa.concat_batches([carried, batch]) if carried is not None else batch
            yield self._cut(rows, rows.num_rows - pending)
            carried = rows.slice(max(0, rows.num_rows - self._context - pending))
        if carried is not None and pending:
            yield self._cut(carried, carried.num_rows)

    def _cut(self, rows: pa.RecordBatch, stop: int) -> _Cut:
        """Return the windows whose responses are among the first ``stop`` rows."""
        same, follows = _follows(rows)
        possible = np.arange(rows.num_rows) < stop
        if self._ends_only:
            possible &= np.append(~same[1:], True)[: rows.num_rows]
        joined = possible & (_reach(same) >= self._context)
        wanted = joined & (_reach(follows) >= self._context)
        response = pa.array(np.flatnonzero(wanted))
        turns = [rows.column("text").take(pc.subtract(response, back)) for back in range(self._context, -1, -1)]
        empty = pa.repeat(pa.scalar(""), len(response))
        chosen = rows.take(response)
        ids = chosen.column("dialogue_id")
        self.with_window.add(ids)
        columns = [
            pa.repeat(pa.scalar(0, pa.int64()), len(response)),
            ids,
            pc.subtract(chosen.column("turn"), pa.scalar(self._context, pa.int32())),
            pc.binary_join_element_wise(*turns[:-1], f" {TURN} ") if self._context else empty,
            turns[-1],
            chosen.column("speaker"),
            chosen.column("label"),
        ]
        spoken = np.ones(len(response), bool)
        for turn in turns:
            spoken &= pc.not_equal(turn, "").to_numpy(zero_copy_only=False)
        across_gap = rows.column("split").filter(pa.array(joined & ~wanted))
        examples = pa.RecordBatch.from_arrays(columns, schema=EXAMPLES)
        return _Cut(examples, chosen.column("split"), pa.array(spoken), across_gap)


class _DialogueCounter:
    """Counts the dialogues that rows are of, batch by batch."""

    def __init__(self) -> None:
        self.number = 0
        self._last: str | None = None

    def add(self, ids: pa.Array) -> None:
        """Count (N) ``ids`` of dialogues, those of one dialogue together."""
        if len(ids):
            changes = pc.sum(pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))).as_py() or 0
            self.number += changes + (ids[0].as_py() != self._last)
            self._last = ids[-1].as_py()


def _follows(rows: pa.RecordBatch) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark the rows that are of the dialogue of the row before, and those that are its next turn: (N) bool each."""
    first, second = rows.slice(0, rows.num_rows - 1), rows.slice(1)
    same = pc.equal(first.column("dialogue_id"), second.column("dialogue_id"))
    follows = pc.and_(same, pc.equal(pc.add(first.column("turn"), 1), second.column("turn")))

    def after_the_first(marks: pa.Array) -> NDArray[np.bool_]:
        return np.concatenate([[False], marks.to_numpy(zero_copy_only=False)])[: rows.num_rows]

    return after_the_first(same), after_the_first(follows)


def _reach(follows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the utterances before each that lead to it one by one: (N) int64."""
    place = np.arange(len(follows))
    return place - np.maximum.accumulate(np.where(follows, 0, place))


def _report(counts: Mapping[str, Mapping[str, int]], windows: _Windows, dialogues: Path) -> None:
    def numbers(count: str) -> str:
        return ", ".join(f"{own[count]:,} {split}" for split, own in counts.items())

    log.info("examples: %s; dropped because an utterance has no token: %s", numbers("examples"), numbers("empty"))
    log.info("windows across a gap between turn numbers, which are no examples: %s", numbers(ACROSS_GAP))
    number, without = windows.dialogues.number, windows.dialogues.number - windows.with_window.number
    if all(LEAKED not in own for own in counts.values()):
        log.info("held-out responses that are part of a training context: 0, since no dialogue is divided")
    log.info("dialogues without a window: %s of %s", f"{without:,}", f"{number:,}")
    if without > _MOST_WITHOUT * number:
        warn(
            f"corpus {dialogues.parent.name}: {without:,} of {number:,} dialogues are too short for an example. If "
            "this is wrong, name all columns that tell dialogues apart under `columns: {dialogue: …}` of the source."
        )


def _check(counts: Mapping[str, Mapping[str, int]], window: Window, windows: _Windows, dialogues: Path) -> None:
    lacking = [split for split, own in counts.items() if not own["examples"]]
    if not lacking:
        return
    own = counts[lacking[0]]
    problem = f"the {lacking[0]} split has no example"
    expected = "dialogues with turns that have words"
    remedy = "raise the shares in `splits:`, lower `window: {context: …}`, or check the corpus"
    if window.context:
        expected = f"dialogues with {window.context + 1} consecutive turns that have words"
    if window.context and windows.turns == windows.dialogues.number:
        problem += f", since each of the {windows.turns:,} dialogues has one turn"
        remedy = (
            "name the columns that the rows of a dialogue share under `columns: {dialogue: …}` of the source; or take "
            "sentences alone, with `window: {context: 0}` and `filtering: {context_length: [0, 0]}`"
        )
    elif own[ACROSS_GAP]:
        problem += f", but {own[ACROSS_GAP]:,} windows across gaps between turn numbers"
        remedy = "`gaps: join` of the source takes turns around a gap for neighbours; or number the turns 1, 2, 3, …"
    raise PipelineError(problem, where=dialogues, expected=expected, remedy=remedy)
