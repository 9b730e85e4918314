"""Users who respond, for examples of dialogues with speakers: numbers, floors of the context's turns, typical words."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.users import Users
from pipeline_lib.corpora.pairs import DIFFERENT
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.files.side_tables import joined
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import UNKNOWN_USER, user_words_schema, users_schema
from pipeline_lib.text.ids import SPECIALS
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.words import Words

WORDS = 20  # of a user's profile, as Chan et al. (2019) give it to Adaptation and RL-Persona

log = logging.getLogger(__name__)


def list_users(dialogues: Path, examples: Mapping[str, Path], turns: int, settings: Users) -> pa.Table:
    """Number the users of a corpus, and say of every turn of a context who spoke it, and whether the responder did.

    Args:
        dialogues: a file of `DIALOGUES` with speakers.
        examples: split -> its filtered examples (`EXAMPLES`).
        turns: utterances of a context.
    Returns:
        `users_schema`, a row for each example of all splits. User 1 says most in training; 0 is unknown.
    Raises:
        PipelineError: the corpus names no speakers, or nobody says enough to be known.
    """
    said = read_parquet(dialogues, DIALOGUES, ["dialogue_id", "turn", "speaker", "split"])
    said = said.filter(pc.not_equal(said["speaker"], DIFFERENT).fill_null(True))  # a labelled text, which nobody says
    if said["speaker"].null_count == len(said):
        raise PipelineError(
            "no utterance has a speaker",
            where=dialogues,
            expected="a corpus that names who speaks",
            remedy="name the column under `columns: {speaker: …}` of the source, or leave out systems that read users, "
            "and columns of users in tables of this corpus",
        )
    known = known_users(said.filter(pc.equal(said["split"], "train"))["speaker"], settings)
    if not len(known):
        raise PipelineError(
            f"no user has {settings.least} training utterances",
            where=dialogues,
            expected="some who say as much",
            remedy="lower `users: {least: …}`, or check the column of the speaker",
        )
    parts = [_of_split(said, path, turns, known) for path in examples.values()]
    table = pa.concat_tables(parts)
    unknown = int((table["user"].to_numpy() == UNKNOWN_USER).sum())
    log.info("known users: %s; examples of unknown ones: %s of %s", len(known), unknown, len(table))
    return table


def known_users(speakers: pa.ChunkedArray, settings: Users) -> pa.Array:
    """List the known users, most active first, equals by name.

    Args:
        speakers: the speaker of each training utterance; null where there is none.
    """
    counts = pc.value_counts(speakers.drop_null())
    table = pa.table({"speaker": counts.field("values"), "count": counts.field("counts")})
    enough = table.filter(pc.greater_equal(table["count"], settings.least))
    ordered = enough.sort_by([("count", "descending"), ("speaker", "ascending")])
    return ordered["speaker"].combine_chunks()[: settings.count]


def list_words(users: Path, train: Path, vocabulary: Words) -> pa.Table:
    """List for each example the words that tell its user best from the others.

    They are those of the user's training responses with the greatest tf-idf: the word's count times the logarithm of
    the number of users over that of the users who say it. Of equals, the more frequent word comes first.

    Args:
        users: a file of `users_schema`.
        train: training examples (`EXAMPLES`).
    Returns:
        `user_words_schema`, a row for each row of ``users``; unknown users have no words, others up to `WORDS`.
    """
    numbered = read_parquet(users, columns=["example_id", "user"])
    responses = read_parquet(train, EXAMPLES, ["example_id", "response"])
    speaker = joined(responses["example_id"].to_numpy(), users, "user")
    texts = vocabulary.encode(responses["response"])
    best = best_words(texts, speaker, int(numbered["user"].to_numpy().max()), len(vocabulary), vocabulary.ids.pad)
    profile = best[numbered["user"].to_numpy()]
    columns = {
        "example_id": numbered["example_id"],
        "profile": pa.FixedSizeListArray.from_arrays(pa.array(profile.ravel(), pa.int64()), WORDS),
    }
    return pa.table(columns, schema=user_words_schema(WORDS))


def best_words(texts: Ragged, speaker: NDArray[np.int64], users: int, words: int, pad: int) -> NDArray[np.int64]:
    """Return (users + 1, `WORDS`) ids, best first, filled up with ``pad``; row 0, of unknown users, has none.

    Args:
        texts: (N) texts of ids below ``words``; the ids of specials do not count.
        speaker: (N,) the user who said each.
    """
    user = speaker[texts.text]
    counted = (user != UNKNOWN_USER) & (texts.ids >= len(SPECIALS))
    # only the pairs that occur: a matrix of 20,000 users and 31,000 words would take 5 GB
    pairs, counts = np.unique(user[counted] * words + texts.ids[counted], return_counts=True)
    user, word = np.divmod(pairs, words)
    scores = counts * np.log(users / np.bincount(word, minlength=words)[word])
    order = np.lexsort((word, -scores, user))
    user, word = user[order], word[order]
    rank = np.arange(len(user)) - np.searchsorted(user, user)
    told = (rank < WORDS) & (scores[order] > 0)
    best = np.full((users + 1, WORDS), pad)
    best[user[told], rank[told]] = word[told]
    return best


def select_unknown(examples: Path, users: Path, out: Path) -> None:
    """Copy the examples whose responder is unknown.

    Args:
        examples: a file of `EXAMPLES`; ``users``: one of `users_schema`; ``out``: where the examples go.
    Raises:
        PipelineError: everybody is known.
    """
    table = read_parquet(examples, EXAMPLES)
    numbers = read_parquet(users, columns=["example_id", "user"])
    unknown = numbers.filter(pc.equal(numbers["user"], UNKNOWN_USER))["example_id"].combine_chunks()
    own = table.filter(pc.is_in(table["example_id"], value_set=unknown))
    if not len(own):
        raise PipelineError(
            "every responder is a known user",
            where=examples,
            expected="an example of an unknown user, for the tables that show these alone",
            remedy="take `…_unknown_users` out of `splits:` of the tables, or raise `users: {least: …}`",
        )
    write_parquet(out, own, EXAMPLES)


def _of_split(said: pa.Table, examples: Path, turns: int, known: pa.Array) -> pa.Table:
    own = read_parquet(examples, EXAMPLES, ["example_id", "dialogue_id", "turn", "user"])
    responder = own["user"].combine_chunks()
    spoken = [_speaker(said, own, turn) for turn in range(turns)]
    columns = {
        "example_id": own["example_id"],
        "user": _number(responder, known),
        "floors": _beside([pc.equal(speaker, responder).fill_null(False).cast(pa.int64()) for speaker in spoken]),
        "speakers": _beside([_number(speaker, known) for speaker in spoken]),
    }
    return pa.table(columns, schema=users_schema(turns))


def _number(names: pa.Array, known: pa.Array) -> pa.Array:
    """Return the number of each of (n,) users."""
    return pc.add(pc.index_in(names, value_set=known).cast(pa.int64()), 1).fill_null(UNKNOWN_USER)


def _beside(turns: Sequence[pa.Array]) -> pa.Array:
    """Join a column of (n,) numbers for each turn of a context into one of (n,) lists."""
    rows = np.stack([turn.to_numpy() for turn in turns], axis=1)
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel(), pa.int64()), len(turns))


def _speaker(said: pa.Table, examples: pa.Table, turn: int) -> pa.Array:
    """Return who spoke a turn of each example's context, counted from the first: (n,), null where nobody is named."""
    wanted = pa.table(
        {
            "dialogue_id": examples["dialogue_id"],
            "turn": pc.add(examples["turn"], pa.scalar(turn, pa.int32())),
            "row": pa.array(np.arange(len(examples))),
        }
    )
    found = wanted.join(
        said.select(["dialogue_id", "turn", "speaker"]), ["dialogue_id", "turn"], join_type="left outer"
    )
    return found.sort_by("row")["speaker"].combine_chunks()
