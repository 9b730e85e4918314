"""Stop words."""

import pyarrow as pa


def stop_words(language: str | None) -> pa.Array:
    """Return summa's stop words of a language as (S) string; none where the language is not known."""
    if language is None:
        return pa.array([], pa.string())
    from summa.preprocessing.stopwords import get_stopwords_by_language  # here: it imports scipy

    return pa.array(get_stopwords_by_language(language).split())
