"""Words as given, for text that was tokenised before (Penn Treebank): white space is normalised, nothing else."""

import pyarrow as pa
import pyarrow.compute as pc

LANGUAGE = None


def tokenise_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Join the words of each text by one space.

    Args:
        texts: (N) string; null counts as empty.
    Returns:
        (N) string.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    words = [
        pc.utf8_split_whitespace(pc.utf8_trim_whitespace(chunk.cast(pa.string()).fill_null(""))) for chunk in chunks
    ]
    return pa.concat_arrays([pc.binary_join(lists, " ") for lists in words] or [pa.array([], pa.string())])
