"""Pairs of texts: tables with clusters and negatives, Quora questions, stories, posts with replies."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import Source, Window
from pipeline_lib.corpora import pairs, post_reply, qqp, stories
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.text.tokenisers.english import tokenise_array

DATA = Path(__file__).parents[4] / "shared/data"
COLUMNS = {"cluster": "cluster", "negative": "negative", "split": "split"}


def source(reader: str = "pairs", name: str = "x.csv", **changes) -> Source:
    return Source(reader=reader, label="Pairs", licence="", bundles=[[{"name": name}]], **changes)


def turns(module, path: Path, given: Source) -> list[tuple]:
    table = pa.Table.from_batches(list(module.read([path], given, Counter())))
    assert table.schema == DIALOGUES
    return [tuple(row.values())[:5] for row in table.to_pylist()]


def written(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


TABLE = """cluster,context,response,negative,split
b,how are you,how do you do,who are you,train
a,where is it,where can it be,,dev
b,how do you do,how are you,,train
c,who is it,who can it be,,test
"""


def test_a_cluster_is_a_dialogue_whose_pairs_stand_apart_and_whose_negative_is_in_no_window(tmp_path):
    given = source(columns=COLUMNS)
    rows = turns(pairs, written(tmp_path, "x.csv", TABLE), given)
    assert rows == [
        ("0000000", 0, None, "how are you", "train"),
        ("0000000", 1, None, "how do you do", "train"),
        ("0000000", 3, pairs.DIFFERENT, "who are you", "train"),
        ("0000000", 5, None, "how do you do", "train"),
        ("0000000", 6, None, "how are you", "train"),
        ("0000001", 0, None, "where is it", "validation"),
        ("0000001", 1, None, "where can it be", "validation"),
        ("0000002", 0, None, "who is it", "test"),
        ("0000002", 1, None, "who can it be", "test"),
    ]
    table = pa.Table.from_batches(list(pairs.read([tmp_path / "x.csv"], given, Counter())))
    write_parquet(tmp_path / "dialogues.parquet", table, DIALOGUES)
    out = {split: tmp_path / f"{split}.parquet" for split in SPLITS}
    places = (tmp_path / "dialogues.parquet", Window(), tokenise_array, out, tmp_path / "tokens.parquet")
    assert extract_examples(*places)["train"]["across_gap"] == 2
    assert extract_examples(*places, of_pairs=True)["train"]["across_gap"] == 0
    found = read_parquet(out["train"]).to_pylist()
    assert [(row["context"], row["response"], row["turn"]) for row in found] == [
        ("how are you", "how do you do", 0),
        ("how do you do", "how are you", 5),
    ]


def test_without_clusters_pairs_of_one_context_are_one_and_stay_in_one_split(tmp_path):
    text = "context,response\n" + "".join(f"c{n % 40},r{n}\n" for n in range(200))
    rows = turns(pairs, written(tmp_path, "x.csv", text), source(splits={"validation": 0.3, "test": 0.3}))
    by_context: dict[str, set[tuple[str, str]]] = {}
    for dialogue, _, _, text, split in rows[::2]:
        by_context.setdefault(text, set()).add((dialogue, split))
    assert len(by_context) == 40
    assert all(len(found) == 1 for found in by_context.values())
    assert {split for found in by_context.values() for _, split in found} == set(SPLITS)


@pytest.mark.parametrize(
    ("old", "new", "problem", "where"),
    [
        (
            "b,how do you do,how are you,,train",
            "b,how do you do,how are you,,test",
            "cluster 'b' is in train",
            "a source with reader 'pairs'",
        ),
        ("who are you", "how do you do", "the same text as response", "row 1"),
        ("who are you", "how are you", "the same text as context", "row 1"),
        ("where can it be", " ", "response is empty", "row 2"),
        ("dev", "holdout", "split is 'holdout'", "row 2"),
    ],
)
def test_faults_of_a_table_of_pairs_are_errors_that_name_their_place(tmp_path, old, new, problem, where):
    path = written(tmp_path, "x.csv", TABLE.replace(old, new))
    with pytest.raises(PipelineError, match=problem) as caught:
        turns(pairs, path, source(columns=COLUMNS))
    assert where in str(caught.value.where)


def test_a_table_of_pairs_with_a_header_alone_is_an_error(tmp_path):
    path = written(tmp_path, "x.csv", TABLE.splitlines()[0] + "\n")
    with pytest.raises(PipelineError, match="no rows") as caught:
        turns(pairs, path, source(columns=COLUMNS))
    assert str(caught.value.where) == str(path)


QUESTIONS = "1\tA?\tB?\n1\tB?\tC?\n0\tA?\tX?\n1\tX?\tY?\n0\tA?\tC?\n1\tlonely?\tlonely?\n0\tP?\tQ?\nbroken\n1\t\tZ?\n"


def test_questions_that_duplicates_lead_to_are_a_cluster_and_each_is_asked_once(tmp_path):
    given = source("qqp", splits={"validation": 0, "test": 0})
    skipped: Counter[str] = Counter()
    path = written(tmp_path, "x.tsv", QUESTIONS)
    [batch] = qqp.read([path], given, skipped)
    rows = [(row["dialogue_id"], row["speaker"], row["text"]) for row in batch.to_pylist()]
    asked = [text for (_, speaker, text), row in zip(rows, batch.to_pylist(), strict=True) if row["turn"] % 5 == 0]
    assert asked == ["A?", "B?", "C?", "X?", "Y?"]
    cluster = {text: dialogue for dialogue, speaker, text in rows if not speaker}
    assert cluster["A?"] == cluster["B?"] == cluster["C?"] != cluster["X?"] == cluster["Y?"]
    # C is labelled as different from A, but the other labels make it the same
    assert [text for _, speaker, text in rows if speaker] == ["X?", "A?"]
    assert skipped[qqp.BROKEN] == 2


def test_the_released_table_of_questions_gives_the_same_as_the_divided_one(tmp_path):
    lines = [line.split("\t") for line in QUESTIONS.splitlines() if line.count("\t") == 2]
    table = "\t".join(qqp._HEADER) + "\n"
    table += "".join(f'"{n}"\t"1"\t"2"\t"{a}"\t"{b}"\t"{label}"\n' for n, (label, a, b) in enumerate(lines))
    given = source("qqp")
    assert turns(qqp, written(tmp_path, "a.tsv", QUESTIONS), given) == turns(
        qqp, written(tmp_path, "b.tsv", table), given
    )


def test_a_label_that_is_none_is_an_error_that_names_the_line(tmp_path):
    with pytest.raises(PipelineError, match="label '2'") as caught:
        turns(qqp, written(tmp_path, "x.tsv", "1\tA\tB\n2\tC\tD\n"), source("qqp"))
    assert str(caught.value.where).endswith("line 2")


def test_a_story_is_five_turns_and_a_wrong_ending_a_text_that_is_labelled_as_different(tmp_path):
    plain = 'storyid,sentence1,sentence2,sentence3,sentence4,sentence5\nx,One.,"Two,\nso.",Three.,Four.,Five.\n'
    rows = turns(stories, written(tmp_path, "s.csv", plain), source("stories", splits={"validation": 0, "test": 0}))
    assert [(turn, text) for _, turn, _, text, _ in rows] == [
        (0, "One."),
        (1, "Two,\nso."),
        (2, "Three."),
        (3, "Four."),
        (4, "Five."),
    ]
    cloze = ",".join(["InputStoryid", *stories._CLOZE, *stories._ENDINGS, "AnswerRightEnding"])
    rows = turns(stories, written(tmp_path, "c.csv", f"{cloze}\nx,a,b,c,d,wrong,right,2\n"), source("stories"))
    assert [(turn, speaker, text) for _, turn, speaker, text, _ in rows[4:]] == [
        (4, None, "right"),
        (6, pairs.DIFFERENT, "wrong"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n1,2\n", "other columns: a, b"),
        ("sentence1,sentence2,sentence3,sentence4,sentence5\na,b,,d,e\n", "an empty sentence"),
        (",".join([*stories._CLOZE, *stories._ENDINGS, "AnswerRightEnding"]) + "\na,b,c,d,e,f,3\n", "'3'"),
        ('sentence1,sentence2,sentence3,sentence4,sentence5\na,b,c,d,"e" f\n', "expected after[^!]*line 2"),
    ],
)
def test_faults_of_stories_are_errors(tmp_path, text, problem):
    with pytest.raises(PipelineError, match=problem):
        turns(stories, written(tmp_path, "s.csv", text), source("stories"))


def test_stories_of_files_whose_names_begin_alike_stay_apart(tmp_path):
    plain = "sentence1,sentence2,sentence3,sentence4,sentence5\na,b,c,d,e\n"
    paths = [written(tmp_path, f"roc.{split}.csv", plain) for split in ("train", "dev", "test")]
    skipped: Counter[str] = Counter()
    names = [row["dialogue_id"] for each in stories.read(paths, source("stories"), skipped) for row in each.to_pylist()]
    assert len(set(names)) == 3


def test_names_of_columns_may_have_spaces_around_them(tmp_path):
    header = " sentence1, sentence2 ,sentence3,sentence4,sentence5 "
    rows = turns(stories, written(tmp_path, "s.csv", f"{header}\na,b,c,d,e\n"), source("stories"))
    assert "".join(row[3] for row in rows) == "abcde"


def test_replies_to_a_post_are_one_cluster(tmp_path):
    path = written(tmp_path, "x.txt", "hi\tyes\nearlier\tnow\tno\n\nhi\tmaybe\nalone\n17\tno reply\t\n")
    skipped: Counter[str] = Counter()
    [batch] = post_reply.read([path], source("post_reply"), skipped)
    rows = [(row["dialogue_id"], row["turn"], row["text"]) for row in batch.to_pylist()]
    assert rows == [
        ("0000000", 0, "hi"),
        ("0000000", 1, "yes"),
        ("0000000", 5, "hi"),
        ("0000000", 6, "maybe"),
        ("0000001", 0, "now"),
        ("0000001", 1, "no"),
    ]
    assert skipped[post_reply.BROKEN] == 3


@pytest.mark.skipif(not (DATA / "qqp").is_dir(), reason="the Quora question pairs are not here")
def test_no_cluster_of_the_real_questions_is_in_two_splits_and_no_negative_in_its_own():
    files = sorted((DATA / "qqp").glob("*.gz"))
    [batch] = qqp.read(files, source("qqp"), Counter())
    rows = batch.to_pylist()
    splits: dict[str, set[str]] = {}
    members: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["dialogue_id"], set()).add(row["split"])
        if not row["speaker"]:
            members.setdefault(row["dialogue_id"], set()).add(row["text"])
    assert len(splits) > 7_500
    assert all(len(found) == 1 for found in splits.values())
    negatives = [(row["dialogue_id"], row["text"]) for row in rows if row["speaker"]]
    assert len(negatives) > 150
    assert not [text for cluster, text in negatives if text in members[cluster]]
    assert sum(map(len, members.values())) == len(set().union(*members.values()))  # no question in two clusters
