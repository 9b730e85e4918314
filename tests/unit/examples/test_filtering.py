"""Filtering and vocabulary: the same answers as plain Python over small tables."""

import collections
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.config.filtering import OPEN, Filtering
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.filtering import Known, filter_examples, filter_splits, known_tokens
from pipeline_lib.files.formats import read_json, read_parquet, write_json, write_parquet
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.ids import SPECIALS
from pipeline_lib.text.ragged import flatten, join
from pipeline_lib.text.words import Words
from pipeline_lib.vectors.glove import write_vectors
from pipeline_lib.vectors.vocabulary import build

ROOT = Path(__file__).parents[3]
ORDER = [  # in which a reason is looked for
    *("rare_token", "unknown_token", "context_too_short", "context_too_long", "response_too_short"),
    *("response_too_long", "unseen_token", "in_training"),
]
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "x", "y", "<turn>"]), max_size=5).map(" ".join)


def _examples(path: Path, rows: list[tuple[str, str]]) -> Path:
    n = len(rows)
    columns = {
        "example_id": pa.array(range(n), pa.int64()),
        "dialogue_id": ["d"] * n,
        "turn": pa.array(range(n), pa.int32()),
        "context": [row[0] for row in rows],
        "response": [row[1] for row in rows],
        "user": pa.nulls(n, pa.string()),
        "label": pa.nulls(n, pa.int32()),
    }
    write_parquet(path, pa.table(columns, schema=EXAMPLES), EXAMPLES)
    return path


def _known(*tokens: str, rarer: str = "") -> Known:
    """Make these tokens known; of the others, all but ``rarer`` are frequent enough."""
    frequent = [token for token in "abcxy" if token not in rarer]
    return Known(pa.array(tokens, pa.string()), pa.array(frequent, pa.string()))


def _plain_filter(
    rows: list[tuple[str, str]],
    known: set[str],
    rule: Filtering,
    rare: str = "",
    train: list[tuple[str, str]] | None = None,
) -> tuple[list, collections.Counter]:
    """Filter one example at a time; ``train`` are the kept training examples of a held-out split."""
    kept, counts = [], collections.Counter(read=len(rows))
    seen = None if train is None else {token for row in train for text in row for token in text.split()} | {"<turn>"}
    known = known | {"<turn>"}
    if seen is not None and rule.unknown == "drop_token":
        known = known & seen
    for row in rows:
        sides, reasons = [], {}
        for side, text in zip(("context", "response"), row, strict=True):
            tokens = text.split()
            counts["tokens"] += sum(token != "<turn>" for token in tokens)
            counts["unknown_tokens"] += sum(token not in known for token in tokens)
            if rule.unknown == "drop_example":
                reasons["rare_token"] = reasons.get("rare_token") or any(token in rare for token in tokens)
                reasons["unknown_token"] = reasons.get("unknown_token") or any(token not in known for token in tokens)
                if seen is not None:
                    reasons["unseen_token"] = reasons.get("unseen_token") or any(token not in seen for token in tokens)
            if rule.unknown == "drop_token":
                tokens = [token for token in tokens if token in known]
            if rule.unknown == "unk":
                tokens = [token if token in known else "<unk>" for token in tokens]
            sides.append(" ".join(tokens))
            words, (fewest, most) = len(tokens) - tokens.count("<turn>"), getattr(rule, f"{side}_length")
            reasons[f"{side}_too_short"], reasons[f"{side}_too_long"] = words < fewest, words > most
        if train is not None and rule.held_out != "all":
            by_context = rule.held_out == "unseen_contexts" and sides[0]
            reasons["in_training"] = (
                sides[0] in [context for context, _ in train] if by_context else tuple(sides) in train
            )
        first = next((rule for rule in ORDER if reasons.get(rule)), None)
        counts[first or "kept"] += 1
        if not first:
            kept.append(tuple(sides))
    return kept, counts


@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20),
    st.sampled_from(["drop_example", "drop_token", "unk", "keep"]),
    st.tuples(st.integers(0, 3), st.integers(3, 5)),
)
@settings(max_examples=60, deadline=None)
def test_filtering_equals_a_plain_loop(tmp_path_factory, rows, policy, length) -> None:
    folder = tmp_path_factory.mktemp("filtering")
    rule = Filtering(unknown=policy, context_length=length, response_length=(1, 4))
    expected, counts = _plain_filter(rows, {"a", "b", "c"}, rule, rare="y")
    examples, out = _examples(folder / "examples.parquet", rows), folder / "out.parquet"
    if not expected:
        with pytest.raises(PipelineError):
            filter_examples(examples, _known("a", "b", "c", rarer="y"), rule, out)
        return
    found = filter_examples(examples, _known("a", "b", "c", rarer="y"), rule, out)
    assert _texts(out) == expected
    assert {name: number for name, number in found.items() if number} == {k: v for k, v in counts.items() if v}


@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20),
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20),
    st.sampled_from(["drop_example", "drop_token", "unk", "keep"]),
    st.sampled_from(["all", "unseen_pairs", "unseen_contexts"]),
)
@settings(max_examples=60, deadline=None)
def test_held_out_splits_are_filtered_by_what_is_left_of_training_as_a_plain_loop_does(
    tmp_path_factory, train, others, policy, held_out
) -> None:
    folder = tmp_path_factory.mktemp("splits")
    rule = Filtering(unknown=policy, held_out=held_out, context_length=(0, 4), response_length=(1, 4))
    plenty, known = ("a b c x", "a b c x"), {"a", "b", "c", "x"}  # an example that no rule drops
    held = [*others, *train[:3], ("c a", "a c x")]
    files = {"train": [*train, plenty], "validation": held, "test": held[::-1]}
    expected, counts = {}, {}
    for split, rows in files.items():
        of_training = expected["train"] if split != "train" else None
        expected[split], counts[split] = _plain_filter(rows, known, rule, rare="y", train=of_training)
    examples = {split: _examples(folder / f"{split}.parquet", rows) for split, rows in files.items()}
    outputs = {split: folder / f"kept_{split}.parquet" for split in files}
    found = filter_splits(examples, _known(*known, rarer="y"), rule, outputs)
    assert {split: _texts(path) for split, path in outputs.items()} == expected
    for split in SPLITS:
        assert {name: n for name, n in found[split].items() if n} == {name: n for name, n in counts[split].items() if n}
    if policy not in OPEN:
        words = {
            split: {word for row in rows for text in row for word in text.split()} for split, rows in expected.items()
        }
        assert words["validation"] | words["test"] <= words["train"] | {"<turn>"}
    assert not [path for path in folder.iterdir() if path.name.endswith(".duckdb")]


def _texts(path: Path) -> list[tuple[str, str]]:
    table = read_parquet(path, EXAMPLES)
    return list(zip(table["context"].to_pylist(), table["response"].to_pylist(), strict=True))


def test_a_corpus_that_filtering_empties_is_an_error_that_counts_each_rule(tmp_path: Path) -> None:
    examples = _examples(tmp_path / "examples.parquet", [("a x", "b"), ("a", "b b b"), ("", "b")])
    out = tmp_path / "out.parquet"
    out.write_text("earlier")
    with pytest.raises(PipelineError) as caught:
        filter_examples(examples, _known("a", "b"), Filtering(response_length=(1, 2)), out)
    message = str(caught.value)
    assert "none of 3 examples" in message
    assert str(examples) in message
    for rule in ("1 unknown_token", "1 response_too_long", "1 context_too_short"):
        assert rule in message
    assert "filtering" in caught.value.remedy
    assert out.read_text() == "earlier"


def _inputs(folder: Path) -> dict[str, Path]:
    splits = {
        "train": _examples(folder / "train.parquet", [("b a a", "c"), ("a c", "b q")]),
        "validation": _examples(folder / "validation.parquet", [("a", "b")]),
        "test": _examples(folder / "test.parquet", [("a rare", "b"), ("a", "b")]),
    }
    tokens = pa.table(
        {"token": ["a", "b", "c", "q", "rare"], "count": [7, 5, 2, 1, 1], "train_count": [3, 2, 2, 1, 0]},
        schema=TOKENS,
    )
    write_parquet(folder / "tokens.parquet", tokens, TOKENS)
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    write_vectors(folder / "vectors.parquet", pa.array(["b", "rare", "a", "c"]), vectors, "test")
    return splits | {"tokens": folder / "tokens.parquet", "vectors": folder / "vectors.parquet"}


def test_a_known_token_has_a_vector_and_enough_training_occurrences(tmp_path: Path) -> None:
    given_files = _inputs(tmp_path)
    known = known_tokens(given_files["tokens"], given_files["vectors"], Filtering(min_count=1))
    assert known.tokens.to_pylist() == ["a", "b", "c"]
    assert known.frequent.to_pylist() == ["a", "b", "c", "q"]
    known = known_tokens(given_files["tokens"], given_files["vectors"], Filtering(min_count=3))
    assert known.tokens.to_pylist() == ["a"]


def test_known_tokens_need_no_vectors_where_frequency_decides(tmp_path: Path) -> None:
    tokens = {"a": 3, "<unk>": 9, "c": 2, "b": 2, "d": 1, "<turn>": 4, "e": 0}
    counts = {"token": list(tokens), "count": [9] * 7, "train_count": list(tokens.values())}
    path = tmp_path / "tokens.parquet"
    write_parquet(path, pa.table(counts, schema=TOKENS), TOKENS)
    most = Filtering(known="most_frequent", vocabulary_size=2)
    assert known_tokens(path, None, most).tokens.to_pylist() == ["a", "b"]
    assert known_tokens(path, None, most.model_copy(update={"min_count": 3})).tokens.to_pylist() == ["a"]
    assert known_tokens(path, None, Filtering(known="any")).tokens.to_pylist() == ["a", "c", "b", "d"]
    assert known_tokens(path, None, Filtering(known="any", min_count=2)).tokens.to_pylist() == ["a", "c", "b"]


@pytest.mark.parametrize("values", [{"known": "most_frequent"}, {"known": "any", "vocabulary_size": 9}])
def test_a_vocabulary_size_without_its_kind_is_refused_and_so_is_the_kind_without_it(values: dict) -> None:
    with pytest.raises(ValueError, match="`vocabulary_size` belongs to"):
        Filtering(**values)


def test_sentences_alone_pass_where_contexts_may_be_empty(tmp_path: Path) -> None:
    examples = _examples(tmp_path / "examples.parquet", [("", "a b"), ("", "a"), ("", "q")])
    settings = Filtering(known="any", unknown="unk", context_length=(0, 0))
    found = filter_examples(examples, _known("a", "b"), settings, tmp_path / "out.parquet")
    assert (found["read"], found["kept"]) == (3, 3)
    assert read_parquet(tmp_path / "out.parquet")["response"].to_pylist() == ["a b", "a", "<unk>"]
    with pytest.raises(PipelineError, match="none of 3") as caught:
        filter_examples(examples, _known("a", "b"), Filtering(), tmp_path / "other.parquet")
    assert "context_length: [0, 0]" in caught.value.remedy


def test_the_script_filters_three_splits_and_reports_what_it_dropped(tmp_path: Path) -> None:
    files = _inputs(tmp_path)
    command = [sys.executable, str(ROOT / "workflow/scripts/filter_examples.py"), "--settings", "{}"]
    for name, path in files.items():
        command += [f"--{name}", str(path)]
    for split in SPLITS:
        command += [f"--out-{split}", str(tmp_path / f"out_{split}.parquet")]
    windows = {split: {"examples": 2, "empty": 0, "across_gap": 3} for split in SPLITS}
    write_json(tmp_path / "windows.json", windows)
    command += ["--windows", str(tmp_path / "windows.json"), "--report", str(tmp_path / "report.json")]
    subprocess.run(command, check=True, capture_output=True)
    report = read_json(tmp_path / "report.json")
    assert report["train"]["kept"] == 1
    assert report["train"]["unknown_token"] == 1
    assert report["train"]["across_gap"] == 3
    assert report["test"]["kept"] == 1
    assert report == json.loads(json.dumps(report))
    assert len(read_parquet(tmp_path / "out_test.parquet", EXAMPLES)) == 1


def test_the_vocabulary_is_ordered_by_count_then_alphabetically_and_joined_with_vectors(tmp_path: Path) -> None:
    files = _inputs(tmp_path)
    train = _examples(tmp_path / "kept.parquet", [("c b <unk>", "z"), ("a b", "a <unk>")])
    table = build(train, files["vectors"])
    write_parquet(tmp_path / "words.parquet", table, vocabulary_schema(2))
    vocabulary = Words.read(tmp_path / "words.parquet")
    assert vocabulary.tokens == [*SPECIALS, "a", "b", "c", "z"]
    assert len(vocabulary) == 8
    assert table["count"].to_pylist() == [0, 2, 0, 0, 2, 2, 1, 1]
    assert table["known"].to_pylist() == [False] * 4 + [True, True, True, False]
    expected = np.array([[0, 0]] * 4 + [[4, 5], [0, 1], [6, 7], [0, 0]], np.float32)
    np.testing.assert_array_equal(vocabulary.embeddings, expected)
    assert vocabulary.embeddings.dtype == np.float32


def test_a_vocabulary_without_vectors_has_no_such_column_and_every_word_is_known(tmp_path: Path) -> None:
    train = _examples(tmp_path / "kept.parquet", [("b <turn> b <unk>", "z"), ("a <turn> b", "z <unk>")])
    command = [sys.executable, str(ROOT / "workflow/scripts/build_vocabulary.py"), "--train", str(train), "--tokens"]
    command += ["--vectors", "--settings", "{}", "--out", str(tmp_path / "words.parquet")]
    subprocess.run(command, check=True, capture_output=True)
    table = read_parquet(tmp_path / "words.parquet", vocabulary_schema(None))
    assert table.column_names == ["token_id", "token", "count", "known"]
    assert table["token"].to_pylist() == [*SPECIALS, "<turn>", "b", "z", "a"]
    assert table["count"].to_pylist() == [0, 2, 0, 0, 2, 3, 2, 1]
    assert table["known"].to_pylist() == [False] * 5 + [True] * 3
    assert Words.read(tmp_path / "words.parquet").encode(pa.array(["a <turn> z"])).ids.tolist() == [7, 4, 6]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "new", "<unk>"]), max_size=4), max_size=6))
@settings(max_examples=60, deadline=None)
def test_encoding_equals_a_dictionary_and_decoding_undoes_it(texts: list[list[str]]) -> None:
    tokens = [*SPECIALS, "a", "b"]
    columns = {
        "token_id": pa.array(range(6), pa.int32()),
        "token": tokens,
        "count": pa.array([0] * 6, pa.int64()),
        "known": [False] * 6,
        "vector": pa.array([[0.0, 0.0]] * 6, pa.list_(pa.float32(), 2)),
    }
    vocabulary = Words(pa.table(columns, schema=vocabulary_schema(2)))
    joined = pa.array([" ".join(text) for text in texts], pa.string())
    encoded = vocabulary.encode(joined)
    ids, offsets = encoded.ids, encoded.offsets
    assert ids.dtype == np.int32
    assert offsets.dtype == np.int64
    assert len(offsets) == len(texts) + 1
    for n, text in enumerate(texts):
        part = ids[offsets[n] : offsets[n + 1]]
        assert part.tolist() == [tokens.index(token) if token in tokens else 1 for token in text]
        assert vocabulary.decode(part).split() == [token if token in tokens else "<unk>" for token in text]
    assert join(*flatten(joined)).equals(joined)
    assert np.array_equal(vocabulary.encode(joined.slice(1)).ids, ids[offsets[min(1, len(texts))] :])


def test_a_file_that_is_no_vocabulary_is_named(tmp_path: Path) -> None:
    examples = _examples(tmp_path / "examples.parquet", [("a", "b")])
    with pytest.raises(PipelineError, match="not a vocabulary") as caught:
        Words.read(examples)
    assert caught.value.where == str(examples)


def test_of_the_tokens_that_filtering_kept_the_vocabulary_has_those_that_are_known(tmp_path: Path) -> None:
    train = _examples(tmp_path / "kept.parquet", [("c b q", "z"), ("a b <turn> a", "a <unk>")])
    table = build(train, known_tokens=pa.array(["a", "b", "absent"]))
    assert table["token"].to_pylist() == [*SPECIALS, "<turn>", "a", "b"]
    assert table["count"].to_pylist() == [0, 4, 0, 0, 1, 3, 2]  # c, q, z and one that was written so
