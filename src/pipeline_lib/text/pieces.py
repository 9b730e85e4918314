"""Word pieces: a fixed list of words and parts of words, of which every token is put together.

A token is cut from its left, each time into the longest piece of the list (Wu et al. 2016, section 4.1, in the form of
BERT's tokeniser: Devlin et al. 2019). A piece that continues a token begins with ``##``. A token that cannot be cut in
this way is unknown as a whole.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_text
from pipeline_lib.text.ids import TURN, UNKNOWN, Ids
from pipeline_lib.text.ragged import Ragged, flatten

CONTINUES = "##"
SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")  # BERT's, in the order of `Ids`
_LONGEST = 100  # characters of a token that is cut; a longer one is unknown, as in BERT's tokeniser


class Pieces:
    """The pieces of one list, numbered by its lines.

    Args:
        pieces: (V) different texts, `SPECIAL_PIECES` among them.
    Attributes:
        pieces: the same.
    """

    embeddings = None  # a system learns its own

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = list(pieces)
        self._id = {piece: number for number, piece in enumerate(pieces)}
        self.ids = Ids(*(self._id[special] for special in SPECIAL_PIECES))
        self._reserved = {UNKNOWN: self.ids.unknown, TURN: self._id.get(TURN, self.ids.end)}

    def __len__(self) -> int:
        return len(self.pieces)

    @classmethod
    def read(cls, path: Path) -> "Pieces":
        """Read a list of pieces, one a line, such as the ``vocab.txt`` of a BERT model.

        Raises:
            PipelineError: a piece is empty or occurs twice, or a special one is missing.
        """
        try:
            pieces = read_text(path).removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise _not_pieces(str(error), path, "UTF-8 text, a piece a line") from error
        seen: set[str] = set()
        for number, piece in enumerate(pieces, 1):
            if not piece or piece in seen or " " in piece or "\t" in piece:
                raise _not_pieces(f"line {number} is {piece!r}", path, "another piece in every line, without spaces")
            seen.add(piece)
        if missing := [special for special in SPECIAL_PIECES if special not in seen]:
            raise _not_pieces(f"no piece {' and no '.join(missing)}", path, f"the pieces {' '.join(SPECIAL_PIECES)}")
        return cls(pieces)

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> Ragged:
        """Turn texts into ids of pieces.

        ``<turn>``, which parts the utterances of a context, becomes ``[SEP]`` unless it is a piece itself.

        Args:
            texts: (N) string: tokens joined by one space.
        Returns:
            int32 ids; no start, no end.
        """
        tokens, offsets = flatten(texts)
        distinct = tokens.dictionary_encode()
        cut = [self._cut(token) for token in distinct.dictionary.to_pylist()]  # each different token once
        flat = np.array([piece for token in cut for piece in token], np.int32)
        pieces = Ragged.of_lengths(flat, np.array([len(token) for token in cut], np.int64))
        parts = pieces.take(distinct.indices.to_numpy(zero_copy_only=False).astype(np.int64))
        return Ragged(parts.ids, parts.offsets[offsets])

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Put the tokens together again and join them by one space."""
        pieces = (UNKNOWN if i == self.ids.unknown else self.pieces[i] for i in ids)
        parts = (piece.removeprefix(CONTINUES) if piece.startswith(CONTINUES) else f" {piece}" for piece in pieces)
        return "".join(parts).removeprefix(" ")

    def _cut(self, token: str) -> list[int]:
        if token in self._reserved:
            return [self._reserved[token]]
        unknown = [self.ids.unknown]
        if len(token) > _LONGEST:
            return unknown
        pieces: list[int] = []
        start = 0
        while start < len(token):
            mark = CONTINUES if start else ""
            ends = range(len(token), start, -1)
            end = next((end for end in ends if mark + token[start:end] in self._id), None)
            if end is None:
                return unknown
            pieces.append(self._id[mark + token[start:end]])
            start = end
        return pieces


def _not_pieces(found: str, path: Path, expected: str) -> PipelineError:
    return PipelineError(
        f"not a list of word pieces: {found}",
        where=path,
        expected=expected,
        remedy="correct `units.pieces` or the file that it names",
    )
