"""Single-turn examples: a dialogue of T turns gives T-1 (context, response) examples (SepaCVAE, section 6.1)."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, parquet_writer, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.tokenisers.english import tokenise_array

log = logging.getLogger(__name__)

_COMPACT_ROWS = 2_000_000  # rows of partial token counts after which they are added up


def extract_examples(dialogues: Path, outputs: Mapping[str, Path], tokens: Path) -> None:
    """Write the examples of every split and the counts of all tokens, in one pass and bounded memory.

    Turns are paired where their numbers follow one another; examples with a side without a token are dropped. Tokens
    are counted per utterance: one that is a response and then a context counts once.

    Args:
        dialogues: a file of ``schema.DIALOGUES``, sorted by dialogue and turn.
        outputs: the file of each split, of ``EXAMPLES``; ``example_id`` runs over the splits in corpus order.
        tokens: file of ``schema.TOKENS``, most frequent first, equal counts in alphabetical order.
    Raises:
        PipelineError: a split has no example; no output is written.
    """
    counter = TokenCounter()
    written = dict.fromkeys(outputs, 0)
    dropped = 0
    with ExitStack() as files:
        writers = {split: files.enter_context(parquet_writer(path, EXAMPLES)) for split, path in outputs.items()}
        for examples, split in _examples(_tokenised(dialogues, counter)):
            spoken = pc.and_(
                pc.not_equal(examples.column("context"), ""), pc.not_equal(examples.column("response"), "")
            )
            dropped += examples.num_rows - pc.sum(spoken).as_py() if examples.num_rows else 0
            examples, split = examples.filter(spoken), split.filter(spoken)
            example_id = np.arange(examples.num_rows) + sum(written.values())
            examples = examples.set_column(0, EXAMPLES.field("example_id"), pa.array(example_id, pa.int64()))
            for name, writer in writers.items():
                own = examples.filter(pc.equal(split, name))
                written[name] += own.num_rows
                if own.num_rows:
                    writer.write_batch(own)
        _check(written, dialogues)
        write_parquet(tokens, counter.table(), TOKENS)
    counts = ", ".join(f"{count:,} {split}" for split, count in written.items())
    log.info("examples: %s; dropped because a side has no token: %s", counts, f"{dropped:,}")


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
        """The counts so far, of ``schema.TOKENS``; the empty token is none."""
        total = self._sum()
        return total.filter(pc.not_equal(total["token"], "")).sort_by([("count", "descending"), ("token", "ascending")])

    def _sum(self) -> pa.Table:
        total = pa.concat_tables(self._parts).group_by("token").aggregate([("count", "sum"), ("train_count", "sum")])
        return total.rename_columns({"count_sum": "count", "train_count_sum": "train_count"}).select(TOKENS.names)


def _tokenised(dialogues: Path, counter: TokenCounter) -> Iterator[pa.RecordBatch]:
    for batch in iter_parquet(dialogues, DIALOGUES):
        texts = tokenise_array(batch.column("text"))
        counter.add(texts, pc.equal(batch.column("split"), "train"))
        yield batch.set_column(DIALOGUES.get_field_index("text"), DIALOGUES.field("text"), texts)


def _examples(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
    """Examples with ``example_id`` still 0, and the split of each; the last row of a batch is carried to the next."""
    carried: pa.RecordBatch | None = None
    for batch in batches:
        rows = pa.concat_batches([carried, batch]) if carried is not None else batch
        carried = rows.slice(rows.num_rows - 1)
        first, second = rows.slice(0, rows.num_rows - 1), rows.slice(1)
        follows = pc.and_(
            pc.equal(first.column("dialogue_id"), second.column("dialogue_id")),
            pc.equal(pc.add(first.column("turn"), 1), second.column("turn")),
        )
        first, second = first.filter(follows), second.filter(follows)
        columns = [
            pa.repeat(pa.scalar(0, pa.int64()), first.num_rows),
            first.column("dialogue_id"),
            first.column("turn"),
            first.column("text"),
            second.column("text"),
            second.column("label"),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=EXAMPLES), first.column("split")


def _check(written: Mapping[str, int], dialogues: Path) -> None:
    for split, count in written.items():
        if not count:
            raise PipelineError(
                f"the {split} split has no example",
                where=dialogues,
                expected="dialogues with two consecutive turns that have words",
                remedy="raise the shares in `splits:`, or check the corpus",
            )
