"""Characters, for text without spaces between words (Chinese); Latin words and numbers stay whole, lower-cased."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.text.tokenisers import spaces

LANGUAGE = None

_INVISIBLE = r"[\p{Cc}\p{Cf}]"
_WORD = r"[\p{Latin}\p{N}][\p{Latin}\p{N}\p{M}]*"
_TOKEN = rf"({_WORD}|[^ ]\p{{M}}*)"  # a mark belongs to the character before it


def tokenise_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Tokenise many texts.

    Args:
        texts: (N) string; null counts as empty.
    Returns:
        (N) string: tokens joined by one space; the empty string where a text has no token.
    """
    plain = pc.replace_substring_regex(spaces.tokenise_array(texts), _INVISIBLE, "")
    return spaces.tokenise_array(pc.replace_substring_regex(pc.utf8_lower(plain), _TOKEN, r"\1 "))
