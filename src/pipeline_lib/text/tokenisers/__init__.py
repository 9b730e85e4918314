"""Tokenisers, one a module, found by the name that `tokeniser:` of a source gives."""

from typing import Protocol, cast

import pyarrow as pa

from pipeline_lib.stage.kinds import load


class Tokeniser(Protocol):
    """The interface of every module of this package."""

    LANGUAGE: str | None  # as summa names it, for stop words and stems; None: neither is known

    def tokenise_array(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Tokenise (N) texts, null counting as empty, to (N) string: tokens joined by one space."""


def tokeniser(name: str) -> Tokeniser:
    """Find a tokeniser by its name.

    Raises:
        PipelineError: there is none of this name.
    """
    return cast(Tokeniser, load(__name__, name, "tokenise_array"))
