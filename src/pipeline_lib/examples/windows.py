"""Windows over dialogues: some utterances of context, then the response (SepaCVAE: one of each)."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.corpora import Window
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, parquet_writer, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.ids import TURN

log = logging.getLogger(__name__)

_COMPACT_ROWS = 2_000_000  # rows of partial token counts after which they are added up


def extract_examples(
    dialogues: Path,
    window: Window,
    tokenise: Callable[[pa.Array], pa.Array],
    outputs: Mapping[str, Path],
    tokens: Path,
) -> None:
    """Write the examples of every split and the counts of all tokens, in one pass and bounded memory.

    A window covers turns whose numbers follow one another; examples with an utterance without a token are dropped.
    Tokens are counted per utterance: one that is in several windows, or in none, counts once.

    Args:
        dialogues: a file of `DIALOGUES`, sorted by dialogue and turn.
        window: which turns become examples.
        tokenise: `tokenise_array` of the corpus's tokeniser.
        outputs: the file of each split, of `EXAMPLES`; ``example_id`` runs over the splits in corpus order.
        tokens: file of `TOKENS`, most frequent first, equal counts in alphabetical order.
    Raises:
        PipelineError: a split has no example; no output is written.
    """
    counter = TokenCounter()
    windows = _Windows(window)
    written = dict.fromkeys(outputs, 0)
    dropped = 0
    with ExitStack() as files:
        writers = {split: files.enter_context(parquet_writer(path, EXAMPLES)) for split, path in outputs.items()}
        for examples, split, spoken in windows.examples(_tokenised(dialogues, tokenise, counter)):
            dropped += examples.num_rows - spoken.true_count
            examples, split = examples.filter(spoken), split.filter(spoken)
            example_id = np.arange(examples.num_rows) + sum(written.values())
            examples = examples.set_column(0, EXAMPLES.field("example_id"), pa.array(example_id, pa.int64()))
            for name, writer in writers.items():
                own = examples.filter(pc.equal(split, name))
                written[name] += own.num_rows
                if own.num_rows:
                    writer.write_batch(own)
        _check(written, window, dialogues)
        write_parquet(tokens, counter.table(), TOKENS)
    counts = ", ".join(f"{count:,} {split}" for split, count in written.items())
    log.info("examples: %s; dropped because an utterance has no token: %s", counts, f"{dropped:,}")
    number = windows.dialogues.number
    log.info("dialogues without a window: %s of %s", f"{number - windows.with_window.number:,}", f"{number:,}")


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


class _Windows:
    """Slides a window over dialogues that come batch by batch.

    Attributes:
        dialogues: counts them.
        with_window: counts those that have a window.
    """

    def __init__(self, window: Window) -> None:
        self._context, self._ends_only = window.context, window.every == "document"
        self.dialogues, self.with_window = _DialogueCounter(), _DialogueCounter()

    def examples(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, pa.Array, pa.BooleanArray]]:
        """Give examples, ``example_id`` still 0, with the split of each, and whether all their utterances have tokens.

        The rows that a window of the next batch may need are carried to it: too few to hold a window themselves, but
        where windows are to end with their dialogue, for then the last row, perhaps the end of one, is carried too.
        """
        pending = int(self._ends_only)
        carried: pa.RecordBatch | None = None
        for batch in batches:
            self.dialogues.add(batch.column("dialogue_id"))
            rows = pa.concat_batches([carried, batch]) if carried is not None else batch
            yield self._cut(rows, rows.num_rows - pending)
            carried = rows.slice(max(0, rows.num_rows - self._context - pending))
        if carried is not None and pending:
            yield self._cut(carried, carried.num_rows)

    def _cut(self, rows: pa.RecordBatch, stop: int) -> tuple[pa.RecordBatch, pa.Array, pa.BooleanArray]:
        """Return the examples whose responses are among the first ``stop`` rows."""
        follows = _follows(rows)
        place = np.arange(len(follows))
        reach = place - np.maximum.accumulate(np.where(follows, 0, place))  # utterances without a gap before each
        wanted = (reach >= self._context) & (place < stop)
        if self._ends_only:
            ids = rows.column("dialogue_id")
            ends = pc.not_equal(ids.slice(0, len(ids) - 1), ids.slice(1)).to_numpy(zero_copy_only=False)
            wanted &= np.append(ends, True)
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
        return pa.RecordBatch.from_arrays(columns, schema=EXAMPLES), chosen.column("split"), pa.array(spoken)


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


def _follows(rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Mark the rows that are the next turn of the row before: (N) bool."""
    first, second = rows.slice(0, rows.num_rows - 1), rows.slice(1)
    follows = pc.and_(
        pc.equal(first.column("dialogue_id"), second.column("dialogue_id")),
        pc.equal(pc.add(first.column("turn"), 1), second.column("turn")),
    )
    return np.concatenate([[False], follows.to_numpy(zero_copy_only=False)])[: rows.num_rows]


def _check(written: Mapping[str, int], window: Window, dialogues: Path) -> None:
    for split, count in written.items():
        if not count:
            raise PipelineError(
                f"the {split} split has no example",
                where=dialogues,
                expected=f"dialogues with {window.context + 1} consecutive turns that have words"
                if window.context
                else "dialogues with turns that have words",
                remedy="raise the shares in `splits:`, lower `window: {context: …}`, or check the corpus",
            )
