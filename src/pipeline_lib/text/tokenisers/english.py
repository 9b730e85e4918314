r"""Penn-Treebank-like tokens, lower-cased, in the forms that GloVe 6B was trained on.

The rules follow NLTK's ``TreebankWordTokenizer`` (punctuation and the clitics n't 's 'm 're 've 'll 'd become tokens of
their own) and differ from it where dialogue needs it:

- typographic quotes and apostrophes become ``"`` and ``'``, not the directed ```` `` ```` and ``''``;
- DailyDialog's spaced forms (``I ’ m``, ``don ’ t``, ``six o ’ clock``) are joined first;
- a full stop is split off every word, not only the last, unless it ends an abbreviation (``mr.``, ``u.s.``, ``e.g.``);
- ``it.But`` is two sentences; ``cannot`` and ``gonna`` stay whole, because GloVe has them so.

Tokenising tokens again changes nothing. A corpus repeats its words, so the rules run over the distinct words of a batch
only and the lines are put together again from the results; a handful of Arrow passes, no Python per line.
"""

import pyarrow as pa
import pyarrow.compute as pc

LANGUAGE = "english"

_BATCH_LINES = 200_000  # bounds memory, and keeps the character offsets of one batch within 32 bits

# Marks in place of characters that later rules must not touch. No input has them: control characters are removed.
_COMMA, _COLON, _APOSTROPHE, _STOP = "\x02", "\x03", "\x04", "\x05"

_CLITICS = "s|m|d|ll|re|ve"

_CASED_RULES = [  # (pattern, replacement), in RE2 syntax, applied in order to one cased word without white space
    (r"[\p{Cc}\p{Cf}]", ""),
    (r"[’‘‛ʼ′´`]", "'"),
    (r"[“”„″«»]|''+", '"'),
    ("…", "..."),
    ("。", "."),
    ("、|,", ","),
    (r"(\p{Ll})\.(\p{Lu})", r"\1. \2"),
]
_SPACE_RULES = [("  +", " "), ("^ | $", "")]
_LOWER_RULES = [  # as above, after lower-casing
    (r"\.\.+", f" {_STOP * 3} "),
    (r"--+", " -- "),
    (r"([][;?!\"(){}<>@#$%&£¥€])", r" \1 "),
    # commas and colons stay within numbers: 1,000 and 10:30
    (r"(\d),(\d)", rf"\1{_COMMA}\2"),
    (r"(\d),(\d)", rf"\1{_COMMA}\2"),  # again: a digit between two commas was consumed by the first
    (r"(\d):(\d)", rf"\1{_COLON}\2"),
    (r"(\d):(\d)", rf"\1{_COLON}\2"),
    (r"([,:])", r" \1 "),
    # an apostrophe is a clitic's, a clipped word's, inside a word (o'clock), or else a quote
    (r"(\pL)n't\b", rf"\1 n{_APOSTROPHE}t"),
    (rf"'({_CLITICS})\b", rf" {_APOSTROPHE}\1"),
    (r"(^| )'(em|til|tis|cause|bout)\b", rf"\1{_APOSTROPHE}\2"),
    (r"\.'", ". '"),
    (r"'\.", "' ."),
    (r"(^| )'", r"\1' "),
    (r"'( |$)", r" '\1"),
    # a full stop stays with abbreviations and inside words (3.5, yahoo.com)
    (r"(^| )(mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|\pL(?:\.\pL)+)\.", rf"\1\2{_STOP}"),
    (r"\.( |$)", r" .\1"),
    (_COMMA, ","),
    (_COLON, ":"),
    (_APOSTROPHE, "'"),
    (_STOP, "."),
    *_SPACE_RULES,
]
_LINE_RULES = [  # spaced clitics, over the tokens of a line
    (r"(\pL)n ' t( |$)", r"\1 n't\2"),
    (rf"' ({_CLITICS})( |$)", r"'\1\2"),
    (r"(^| )o ' clock\b", r"\1o'clock"),
]


def tokenise_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Tokenise many texts.

    Args:
        texts: (N) string; null counts as empty.
    Returns:
        (N) string: lower-cased tokens joined by one space; the empty string where a text has no token.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    batches = [chunk.slice(start, _BATCH_LINES) for chunk in chunks for start in range(0, len(chunk), _BATCH_LINES)]
    return pa.concat_arrays([_tokenise_batch(batch) for batch in batches] or [pa.array([], pa.string())])


def tokenise(text: str) -> list[str]:
    """Tokenise one text by the rules of `tokenise_array`."""
    return tokenise_array(pa.array([text]))[0].as_py().split()


def _tokenise_batch(texts: pa.Array) -> pa.Array:
    lines = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts.cast(pa.string()).fill_null("")))
    words = lines.values.dictionary_encode()
    tokens = _tokenise_words(words.dictionary)
    joined = pc.binary_join(pa.ListArray.from_arrays(lines.offsets, tokens.take(words.indices)), " ")
    if pc.any(pc.equal(tokens, "")).as_py():  # a word of control characters alone leaves two spaces
        joined = _rewrite(joined, _SPACE_RULES)
    return _rewrite(joined, _LINE_RULES)


def _tokenise_words(words: pa.Array) -> pa.Array:
    """Return the tokens of each word, joined by one space."""
    special = pc.match_substring_regex(words, "[^A-Za-z0-9-]|--")  # few; the rules cannot change the others
    rewritten = _rewrite(pc.utf8_lower(_rewrite(words.filter(special), _CASED_RULES)), _LOWER_RULES)
    return pc.replace_with_mask(pc.utf8_lower(words), special, rewritten)


def _rewrite(texts: pa.Array, rules: list[tuple[str, str]]) -> pa.Array:
    for pattern, replacement in rules:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return texts
