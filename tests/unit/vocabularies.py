"""Vocabularies without vectors, as files."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.ids import SPECIALS


def write_words(path: Path, words: Iterable[str]) -> None:
    """The special tokens, then the words, each once and known."""
    tokens = [*SPECIALS, *words]
    columns = {"token_id": range(len(tokens)), "token": tokens, "count": [1] * len(tokens)}
    schema = vocabulary_schema(None)
    table = pa.table({**columns, "known": [True] * len(tokens)}).select(schema.names)
    write_parquet(path, table.cast(schema), schema)
