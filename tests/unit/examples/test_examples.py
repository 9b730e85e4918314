"""Examples, token counts, one-to-many counts and the generated corpus, against brute force over Python lists."""

import subprocess
import sys
from collections import Counter, defaultdict
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_lib.config.corpora import Source, Synthetic, Window
from pipeline_lib.corpora.synthetic import generate
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples import windows
from pipeline_lib.examples.counting import count_examples
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import iter_parquet, read_json, read_parquet, write_json, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.tokenisers import spaces
from pipeline_lib.text.tokenisers.english import tokenise_array

SINGLE_TURN = Window()
SCRIPTS = Path(__file__).resolve().parents[3] / "workflow/scripts"
Row = dict[str, Any]


def extracted(
    folder: Path, dialogues: pa.Table, window: Window = SINGLE_TURN, tokenise: Any = tokenise_array
) -> tuple[dict[str, list[Row]], list[Row]]:
    """Examples of each split and token counts, as the stage writes them."""
    write_parquet(folder / "dialogues.parquet", dialogues, DIALOGUES)
    outputs = {split: folder / f"{split}.parquet" for split in SPLITS}
    report = extract_examples(folder / "dialogues.parquet", window, tokenise, outputs, folder / "tokens.parquet")
    write_json(folder / "report.json", report)
    examples = {split: read_parquet(path, EXAMPLES).to_pylist() for split, path in outputs.items()}
    return examples, read_parquet(folder / "tokens.parquet", TOKENS).to_pylist()


@pytest.fixture(scope="module")
def generated() -> pa.Table:
    return pa.Table.from_batches([generate(Synthetic(dialogues=150))])


@pytest.mark.parametrize("batch_size", [5, 65_536])
def test_pairs_are_the_consecutive_turns_of_each_dialogue_wherever_batches_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generated: pa.Table, batch_size: int
) -> None:
    monkeypatch.setattr(windows, "iter_parquet", lambda *a: iter_parquet(*a, batch_size=batch_size))
    monkeypatch.setattr(windows, "_COMPACT_ROWS", 1000)
    examples, tokens = extracted(tmp_path, generated)

    said = tokens_of(generated.column("text"))
    expected: dict[str, list[tuple[str, str, str, int, int]]] = {split: [] for split in SPLITS}
    rows = [row | {"text": " ".join(words)} for row, words in zip(generated.to_pylist(), said, strict=True)]
    for name, group in groupby(rows, key=lambda row: row["dialogue_id"]):
        turns = list(group)
        for first, second in pairwise(turns):
            texts = (first["text"], second["text"])
            expected[first["split"]].append((name, *texts, first["turn"], second["label"]))
    columns = ("dialogue_id", "context", "response", "turn", "label")
    assert {
        split: [tuple(example[key] for key in columns) for example in own] for split, own in examples.items()
    } == expected
    ids = sorted(example["example_id"] for own in examples.values() for example in own)
    assert ids == list(range(sum(map(len, expected.values()))))

    counts: Counter[str] = Counter()
    in_training: Counter[str] = Counter()
    for row, words in zip(rows, said, strict=True):
        counts.update(words)
        in_training.update(words if row["split"] == "train" else [])
    order = sorted(counts, key=lambda token: (-counts[token], token.encode()))
    assert tokens == [{"token": t, "count": counts[t], "train_count": in_training[t]} for t in order]


def tokens_of(texts: list[str] | pa.Array | pa.ChunkedArray) -> list[list[str]]:
    """Tokens of each text, by the tokeniser, which has tests of its own."""
    return [
        text.split()
        for text in tokenise_array(pa.array(texts, pa.string()) if isinstance(texts, list) else texts).to_pylist()
    ]


def dialogue(split: str, *texts: str, turns: list[int] | None = None) -> list[Row]:
    numbers = turns or range(len(texts))
    return [
        {"dialogue_id": split, "turn": turn, "speaker": None, "text": text, "split": split, "label": None}
        for turn, text in zip(numbers, texts, strict=True)
    ]


def test_pairs_with_an_empty_side_or_a_gap_between_turns_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = dialogue("train", "One .", "\u200b", "Three .", "Four .", "Six .", turns=[0, 1, 2, 3, 5])
    table += dialogue("validation", "a", "b") + dialogue("test", "c", "d")
    with caplog.at_level("INFO"):
        examples, _ = extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))
    assert [(example["context"], example["response"]) for example in examples["train"]] == [("three .", "four .")]
    assert "an utterance has no token: 2" in caplog.text


@pytest.mark.parametrize("word", ["<pad>", "<s>", "</s>", "<turn>"])
def test_a_word_that_models_have_as_a_mark_is_an_error_that_names_its_place(tmp_path: Path, word: str) -> None:
    table = dialogue("train", "one", "two", f"a {word}") + dialogue("validation", "a", "b") + dialogue("test", "c", "d")
    with pytest.raises(PipelineError, match=f"the word '{word}'") as caught:
        extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES), tokenise=spaces.tokenise_array)
    assert "dialogue train, turn 2" in caught.value.where
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["dialogues.parquet"]
    assert extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))  # in English it is several words


def test_an_unknown_word_of_the_corpus_itself_is_a_word_like_any_other(tmp_path: Path) -> None:
    table = dialogue("train", "one", "<unk>") + dialogue("validation", "a", "<s>x") + dialogue("test", "c", "d")
    examples, _ = extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES), tokenise=spaces.tokenise_array)
    assert examples["train"][0]["response"] == "<unk>"


def test_a_split_without_a_pair_is_an_error_and_leaves_earlier_results_untouched(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"earlier")
    table = dialogue("train", "One .", "Two .") + dialogue("validation", "a", "b") + dialogue("test", "alone")
    with pytest.raises(PipelineError, match="the test split has no example"):
        extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))
    assert (tmp_path / "train.parquet").read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["dialogues.parquet", "train.parquet"]


def test_a_corpus_that_lacks_a_split_such_as_one_of_a_probe_has_an_empty_file_for_it(tmp_path: Path) -> None:
    table = dialogue("train", "One .", "Two .") + dialogue("test", "c", "d")
    examples, _ = extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))
    assert {split: len(own) for split, own in examples.items()} == {"train": 1, "validation": 0, "test": 1}


# --- windows -------------------------------------------------------------------------------------------------------

WINDOWS = [Window(context=k, every=every) for every in ("utterance", "document") for k in (0, 1, 2, 4)]
TEXTS = st.sampled_from(["Yes .", "no", "a B c", "\u200b", "<turn>"])


@st.composite
def corpora(draw: st.DrawFn) -> list[Row]:
    """Dialogues of 0 to 6 turns with gaps between their numbers and turns that have no token; every split is there."""
    rows = []
    for split in SPLITS:
        rows += dialogue(split, *"abcdef")  # a window of every size
        for number in range(draw(st.integers(0, 3))):
            said = draw(st.lists(TEXTS, max_size=6))
            gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2]), min_size=len(said), max_size=len(said)))
            turns = np.cumsum(gaps).tolist()
            own = dialogue(split, *said, turns=turns) if said else []
            for place, row in enumerate(own):
                row |= {"dialogue_id": f"{split}{number}", "speaker": "AB"[place % 2], "label": place}
            rows += own
    return rows


def windows_of(rows: list[Row], window: Window) -> tuple[dict[str, list[Row]], dict[str, Counter[str]], int]:
    """Examples and counts of each split, and how many dialogues have no window, by loops over lists."""
    examples: dict[str, list[Row]] = {split: [] for split in SPLITS}
    counts: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    without = 0
    tokens = {
        row["text"]: " ".join(words) for row, words in zip(rows, tokens_of([row["text"] for row in rows]), strict=True)
    }
    for name, group in groupby(rows, key=lambda row: row["dialogue_id"]):
        turns = list(group)
        stretches = [turns[end - window.context : end + 1] for end in range(window.context, len(turns))]
        if window.every == "document":
            stretches = [stretch for stretch in stretches if stretch[-1] is turns[-1]]
        whole = [
            part for part in stretches if [row["turn"] - part[0]["turn"] for row in part] == list(range(len(part)))
        ]
        without += not whole
        counts[turns[0]["split"]]["across_gap"] += len(stretches) - len(whole)
        for part in whole:
            said = [tokens[row["text"]] for row in part]
            example = {"dialogue_id": name, "turn": part[0]["turn"], "context": " <turn> ".join(said[:-1])}
            example |= {"response": said[-1], "user": part[-1]["speaker"], "label": part[-1]["label"]}
            counts[part[0]["split"]]["examples" if all(said) else "empty"] += 1
            if all(said):
                examples[part[0]["split"]].append(example)
    return examples, counts, without


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: f"{window.context} {window.every}")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=corpora(), batch_size=st.integers(1, 9))
def test_examples_are_the_windows_that_a_loop_finds_wherever_batches_end(
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    window: Window,
    rows: list[Row],
    batch_size: int,
) -> None:
    caplog.clear()
    folder = tmp_path_factory.mktemp("windows")
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("INFO"):
        patch.setattr(windows, "iter_parquet", lambda *a: iter_parquet(*a, batch_size=batch_size))
        examples, _ = extracted(folder, pa.Table.from_pylist(rows, schema=DIALOGUES), window)
    ids = [example.pop("example_id") for own in examples.values() for example in own]
    expected, counts, without = windows_of(rows, window)
    assert examples == expected
    report = read_json(folder / "report.json")
    assert {split: Counter({k: v for k, v in own.items() if v}) for split, own in report.items()} == counts
    assert ids == list(range(len(ids)))
    assert f"without a window: {without} of {len({row['dialogue_id'] for row in rows})}" in caplog.text


def test_sentences_alone_have_an_empty_context_and_none_is_dropped_for_it(tmp_path: Path) -> None:
    table = [row | {"dialogue_id": str(n)} for n, split in enumerate(SPLITS) for row in dialogue(split, f"one {n}")]
    examples, tokens = extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES), Window(context=0))
    found = [(own["context"], own["response"], own["turn"]) for split in SPLITS for own in examples[split]]
    assert found == [("", "one 0", 0), ("", "one 1", 0), ("", "one 2", 0)]
    assert tokens[0] == {"token": "one", "count": 3, "train_count": 1}


def test_a_corpus_too_short_for_its_window_is_an_error_that_names_the_window(tmp_path: Path) -> None:
    table = [row for split in SPLITS for row in dialogue(split, "a", "b")]
    with pytest.raises(PipelineError, match="the train split has no example") as caught:
        extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES), Window(context=2))
    assert "3 consecutive turns" in caught.value.expected
    assert "window" in caught.value.remedy


@pytest.mark.parametrize(
    ("turns", "problem", "remedy"),
    [
        ([0], "each of the 3 dialogues has one turn", "columns: {dialogue: …}"),
        ([0, 10, 20], "2 windows across gaps between turn numbers", "gaps: join"),
    ],
)
def test_a_corpus_without_a_neighbouring_turn_is_an_error_that_says_which_setting_would_help(
    tmp_path: Path, turns: list[int], problem: str, remedy: str
) -> None:
    table = [row for split in SPLITS for row in dialogue(split, *"abc"[: len(turns)], turns=turns)]
    with pytest.raises(PipelineError, match=problem) as caught:
        extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))
    assert remedy in caught.value.remedy


def test_many_dialogues_without_a_window_are_worth_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = [row for split in SPLITS for row in dialogue(split, "a", "b")]
    extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))
    assert "Warning" not in caplog.text
    table += [row | {"dialogue_id": str(n)} for n in range(4) for row in dialogue("train", "alone")]
    extracted(tmp_path, pa.Table.from_pylist(table, schema=DIALOGUES))
    assert "4 of 7 dialogues are too short for an example" in caplog.text


# --- counts --------------------------------------------------------------------------------------------------------


def example_table(examples: list[tuple[str, str]]) -> pa.Table:
    context, response = zip(*examples, strict=True) if examples else ((), ())
    rows = len(examples)
    return pa.table(
        {
            "example_id": np.arange(rows),
            "dialogue_id": pa.repeat("d", rows),
            "turn": pa.nulls(rows, pa.int32()).fill_null(0),
            "context": pa.array(context, pa.string()),
            "response": pa.array(response, pa.string()),
            "user": pa.nulls(rows, pa.string()),
            "label": pa.nulls(rows, pa.int32()),
        }
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcxyz"))))
def test_counts_agree_with_brute_force(
    tmp_path_factory: pytest.TempPathFactory, examples: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("counts") / "examples.parquet"
    write_parquet(path, example_table(examples), EXAMPLES)
    found = count_examples(path, path.with_name("scratch"))
    responses, contexts = related(examples)
    assert found.examples == len(examples)
    assert found.distinct_pairs == len(set(examples))
    assert (found.contexts, found.responses) == (len(responses), len(contexts))
    assert found.one_to_many_contexts == sum(len(own) > 1 for own in responses.values())
    assert found.many_to_one_responses == sum(len(own) > 1 for own in contexts.values())
    assert found.most_responses == max(map(len, responses.values()), default=0)
    assert found.most_contexts == max(map(len, contexts.values()), default=0)


def related(examples: list[tuple[str, str]]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Responses of each context, contexts of each response."""
    responses, contexts = defaultdict(set), defaultdict(set)
    for context, response in examples:
        responses[context].add(response)
        contexts[response].add(context)
    return responses, contexts


def test_the_command_lines_lead_from_a_source_to_t_minus_one_pairs_of_each_dialogue(tmp_path: Path) -> None:
    source = Source(reader="synthetic", label="s", licence="own", synthetic=Synthetic(dialogues=60))
    settings = ["--window", "{}", "--tokeniser", "english", "--report", "report.json"]
    splits = [argument for split in SPLITS for argument in (f"--out-{split}", f"{split}.parquet")]
    for command in (
        ["extract_dialogues", "--source", source.model_dump_json(), "--out", "dialogues.parquet"],
        ["extract_examples", "--dialogues", "dialogues.parquet", "--tokens", "tokens.parquet", *settings, *splits],
    ):
        script = SCRIPTS / f"{command[0]}.py"
        subprocess.run([sys.executable, script, *command[1:]], cwd=tmp_path, check=True, capture_output=True)
    examples = sum(count_examples(tmp_path / f"{split}.parquet", tmp_path / "scratch").examples for split in SPLITS)
    assert sum(own["examples"] for own in read_json(tmp_path / "report.json").values()) == examples
    assert examples == read_parquet(tmp_path / "dialogues.parquet").num_rows - 60


# --- the generated corpus ------------------------------------------------------------------------------------------


def spoken_pairs(options: Synthetic) -> list[tuple[Row, Row]]:
    rows = generate(options).to_pylist()
    return [(first, second) for first, second in pairwise(rows) if first["dialogue_id"] == second["dialogue_id"]]


def rates(**options: Any) -> tuple[float, float]:
    """Share of contexts with several responses, share of examples whose response has several contexts."""
    examples = [(first["text"], second["text"]) for first, second in spoken_pairs(Synthetic(**options))]
    responses, contexts = related(examples)
    one_to_many = sum(len(own) > 1 for own in responses.values()) / len(responses)
    return one_to_many, sum(len(contexts[response]) > 1 for _, response in examples) / len(examples)


def test_the_default_corpus_has_the_size_that_it_promises() -> None:
    examples = spoken_pairs(Synthetic())
    types = {token for words in tokens_of(generate(Synthetic()).column("text")) for token in words}
    assert 5_000 < len(examples) < 8_000
    assert 800 <= len(types) <= 1_200
    assert {second["label"] for _, second in examples} == set(range(8))
    assert Counter(row["split"] for row in generate(Synthetic()).to_pylist() if row["turn"] == 0) == {
        "train": 960,
        "validation": 120,
        "test": 120,
    }


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    assert generate(Synthetic(dialogues=50)).equals(generate(Synthetic(dialogues=50)))
    assert not generate(Synthetic(dialogues=50)).equals(generate(Synthetic(dialogues=50, seed=2)))


@pytest.mark.parametrize(
    ("turns", "problem"),
    [((5, 3), r"fewest \(5\) is more than most \(3\)"), ((1, 4), r"fewest \(1\) is less than the 2 turns")],
)
def test_a_dialogue_of_impossible_length_is_refused(turns: tuple[int, int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Synthetic(turns=turns)


def test_one_to_many_rises_with_its_setting_and_is_absent_at_zero() -> None:
    measured = [rates(one_to_many=value, many_to_one=0.0)[0] for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert measured[0] == 0
    assert all(low + 0.05 < high for low, high in pairwise(measured))


def test_many_to_one_rises_with_its_setting_and_is_absent_at_zero() -> None:
    measured = [rates(one_to_many=0.0, many_to_one=value)[1] for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert measured[0] == 0
    assert all(low + 0.2 < high for low, high in pairwise(measured))
    assert measured[-1] == 1


def test_a_context_is_never_answered_twice_by_the_same_group_unless_it_is_a_generic_reply() -> None:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for first, second in spoken_pairs(Synthetic(one_to_many=1.0, many_to_one=0.0)):
        groups[first["text"]].append(second["label"])
    assert all(len(own) == len(set(own)) for own in groups.values())
    assert max(map(len, groups.values())) > 4


def test_splits_share_no_context_but_generic_replies() -> None:
    contexts: defaultdict[str, set[str]] = defaultdict(set)
    for first, _ in spoken_pairs(Synthetic(one_to_many=1.0, many_to_one=0.0)):
        contexts[first["split"]].add(first["text"])
    assert not contexts["train"] & (contexts["validation"] | contexts["test"])


@pytest.mark.parametrize(("one_to_many", "least", "most"), [(0.0, 0.7, 1.0), (1.0, 0.08, 0.17)])
def test_the_group_is_told_from_the_context_only_as_far_as_one_to_many_allows(
    one_to_many: float, least: float, most: float
) -> None:
    """A linear classifier of word pairs on held-out dialogues: far above chance (1/8) at 0, at chance at 1."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    examples = spoken_pairs(Synthetic(one_to_many=one_to_many, many_to_one=0.0))
    train = [example for example in examples if example[0]["split"] == "train"]
    held_out = [example for example in examples if example[0]["split"] != "train"]
    bags = CountVectorizer(ngram_range=(1, 2)).fit([first["text"] for first, _ in train])
    model = LogisticRegression(C=10, max_iter=100, tol=1e-2)
    model.fit(bags.transform([first["text"] for first, _ in train]), [second["label"] for _, second in train])
    inputs = bags.transform([first["text"] for first, _ in held_out])
    assert least <= model.score(inputs, [second["label"] for _, second in held_out]) <= most


def test_responses_share_a_rare_word_with_their_context_far_more_often_than_with_another() -> None:
    spoken = spoken_pairs(Synthetic(many_to_one=0.0))
    examples = list(zip(*(tokens_of([pair[side]["text"] for pair in spoken]) for side in (0, 1)), strict=True))
    frequent = Counter(token for _, response in examples for token in response)
    rare = {token for token, count in frequent.items() if count < len(examples) / 50}
    related_share = np.mean([bool(rare & set(context) & set(response)) for context, response in examples])
    shifted = zip(examples, examples[100:], strict=False)
    unrelated_share = np.mean([bool(rare & set(one[0]) & set(other[1])) for one, other in shifted])
    assert related_share > 0.95
    assert unrelated_share < 0.3
