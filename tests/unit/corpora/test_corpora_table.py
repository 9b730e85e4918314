"""Tables of strangers, in whatever form they come: ids, turns, splits and cells as the configuration says."""

import gzip
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import table
from pipeline_lib.errors import PipelineError

Row = dict[str, Any]


def source(*names: str, **options: Any) -> Source:
    bundle = [name if isinstance(name, dict) else {"name": name} for name in names]
    return Source(reader="table", label="Mine", licence="none", bundles=[bundle], **options)


def read(folder: Path, contents: dict[str, str | bytes], settings: Source) -> tuple[list[Row], Counter[str]]:
    for name, content in contents.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    skipped: Counter[str] = Counter()
    batches = list(table.read([folder / name for name in contents], settings, skipped))
    return [row for batch in batches for row in batch.to_pylist()], +skipped


def column(rows: list[Row], name: str) -> list[Any]:
    return [row[name] for row in rows]


# --- turns ---------------------------------------------------------------------------------------------------------

GAPS = "dialogue,turn,text\na,7,five\na,1,one\na,2,two\na,6,four\na,4,three\nb,-9,one\nb,100000000000,two\n"


@pytest.mark.parametrize(
    ("gaps", "turns", "counted"),
    [("split", [0, 1, 3, 5, 6, 0, 2], {table.GAPS: 3}), ("join", [0, 1, 2, 3, 4, 0, 1], {f"{table.GAPS}, joined": 3})],
)
def test_a_gap_between_turn_numbers_leaves_out_one_number_unless_gaps_are_joined(
    tmp_path: Path, gaps: str, turns: list[int], counted: dict[str, int]
) -> None:
    rows, skipped = read(tmp_path, {"a.csv": GAPS}, source("a.csv", gaps=gaps))
    assert column(rows, "text") == ["one", "two", "three", "four", "five", "one", "two"]
    assert column(rows, "turn") == turns
    assert skipped == counted


@pytest.mark.parametrize("batch", [1, 2, 10_000])
def test_without_a_column_of_turns_they_are_in_the_order_of_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("pipeline_lib.files.user_tables._ROWS", batch)
    settings = source("a.csv", columns={"dialogue": "scene", "turn": None, "text": "says"})
    rows, skipped = read(tmp_path, {"a.csv": "scene,says\n1,c\n1,a\n2,b\n2,e\n2,d\n"}, settings)
    assert [(row["dialogue_id"], row["turn"], row["text"]) for row in rows] == [
        *(("1", 0, "c"), ("1", 1, "a")),
        *(("2", 0, "b"), ("2", 1, "e"), ("2", 2, "d")),
    ]
    assert not skipped


def test_a_missing_column_of_turns_is_an_error_that_names_the_way_without_one(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no column 'turn'") as caught:
        read(tmp_path, {"a.csv": "dialogue,text\n1,c\n"}, source("a.csv"))
    assert "`turn: null`" in caught.value.remedy


@pytest.mark.parametrize(
    ("reader", "key", "read"),
    [("pairs", "speaker", "cluster"), ("table", "cluster", "speaker"), ("trec", "text", "own")],
)
def test_a_column_that_a_reader_does_not_read_is_refused(reader: str, key: str, read: str) -> None:
    fields: dict[str, Any] = {"label": "Mine", "licence": "none", "bundles": [[{"name": "a.csv"}]]}
    with pytest.raises(ValidationError, match=rf"{key}: ….* is not read by reader '{reader}'; .*{read}"):
        Source(reader=reader, columns={key: "x"}, **fields)
    assert Source(reader=reader, columns={key: None} if key != "text" else {}, **fields)
    assert Source(**Source(reader=reader, **fields).model_dump())  # as a stage is given it


# --- ids -----------------------------------------------------------------------------------------------------------


def test_several_columns_make_one_id_and_different_ones_never_the_same(tmp_path: Path) -> None:
    pairs = [("1", "12"), ("11", "2"), ("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), ("a-b", "c")]
    content = "season,episode,turn,text\n" + "".join(f"{one},{two},{n},x\n" for one, two in pairs for n in (1, 2))
    settings = source("a.csv", columns={"dialogue": ["season", "episode"]})
    rows, _ = read(tmp_path, {"a.csv": content}, settings)
    assert column(rows, "dialogue_id")[::2][:3] == ["1/12", "11/2", "a%2Fb/c"]
    assert len(set(column(rows, "dialogue_id"))) == len(pairs)


def test_only_the_id_of_a_dialogue_is_made_of_several_columns() -> None:
    for columns in ({"text": ["a", "b"]}, {"dialogue": []}, {"dialogue": None}, {"text": None}):
        with pytest.raises(ValueError, match=r"(dialogue|text): (a list|null)"):
            source("a.csv", columns=columns)


# --- splits --------------------------------------------------------------------------------------------------------

TWO = "dialogue,turn,text\n0,0,a\n0,1,b\n"
NAMED = [
    {"name": "one.csv", "split": "train"},
    {"name": "two.csv", "split": "dev"},
    {"name": "latest.csv", "split": "test"},
]


def test_a_file_is_of_the_split_that_its_entry_names_and_ids_of_different_files_stay_apart(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, dict.fromkeys(["one.csv", "two.csv", "latest.csv"], TWO), source(*NAMED))
    expected = ["train", "train", "validation", "validation", "test", "test"]
    assert column(rows, "split") == expected
    assert column(rows, "dialogue_id") == [f"{split}-0" for split in expected]


def test_names_of_files_that_tell_all_three_splits_are_believed(tmp_path: Path) -> None:
    names = ["dev_sent.csv", "a_test.csv", "train.csv"]
    rows, _ = read(tmp_path, dict.fromkeys(names, TWO), source(*names))
    assert column(rows, "split")[::2] == ["validation", "test", "train"]


def test_a_set_with_splits_for_some_files_alone_is_an_error_that_names_the_other(tmp_path: Path) -> None:
    settings = source(*NAMED[:2], "latest.csv")
    with pytest.raises(PipelineError, match=r"no split is named for latest\.csv"):
        read(tmp_path, dict.fromkeys(["one.csv", "two.csv", "latest.csv"], TWO), settings)


def test_a_split_column_and_splits_of_files_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="contradict each other"):
        source(*NAMED, columns={"split": "part"})


def test_splits_have_the_names_that_corpora_give_them(tmp_path: Path) -> None:
    names = ["Train", "training", "dev", "VAL", "valid", "development", "validation", "test"]
    content = "dialogue,turn,text,part\n" + "".join(f"{n},0,x,{name}\n" for n, name in enumerate(names))
    rows, _ = read(tmp_path, {"a.csv": content}, source("a.csv", columns={"split": "part"}))
    assert column(rows, "split") == ["train"] * 2 + ["validation"] * 5 + ["test"]


# --- cells ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mark", "options"),
    [
        ("a.tsv", "\t", {}),
        ("a.tsv.gz", "\t", {}),
        ("a.csv", ";", {"separator": ";"}),
        ("a.csv", "|", {"separator": "|"}),
        ("a.csv", "\t", {"separator": "\t"}),
        ("a.tsv", ",", {"separator": ","}),
    ],
)
def test_cells_are_divided_by_what_the_name_or_the_configuration_says(
    tmp_path: Path, name: str, mark: str, options: dict[str, str]
) -> None:
    lines = [["dialogue", "turn", "text"], ["a", "0", f'"so{mark} ""yes"""'], ["a", "1", "no"]]
    content = "\n".join(mark.join(line) for line in lines).encode()
    rows, _ = read(
        tmp_path, {name: gzip.compress(content) if name.endswith("gz") else content}, source(name, **options)
    )
    assert column(rows, "text") == [f'so{mark} "yes"', "no"]


def test_a_table_that_quotes_nothing_is_read_as_it_is(tmp_path: Path) -> None:
    content = 'dialogue\tturn\ttext\na\t0\t"Well" is a word\na\t1\t"unclosed\n'
    with pytest.raises(PipelineError, match="not readable as a table") as caught:
        read(tmp_path, {"a.tsv": content}, source("a.tsv"))
    assert "`quotes: false`" in caught.value.remedy
    rows, _ = read(tmp_path, {"a.tsv": content}, source("a.tsv", quotes=False))
    assert column(rows, "text") == ['"Well" is a word', '"unclosed']


def test_control_characters_of_windows_1252_in_a_text_are_replaced_and_counted(tmp_path: Path) -> None:
    content = "dialogue,turn,text\na,0,it\x92s\na,1,\x85\na,2,plain\n"
    rows, skipped = read(tmp_path, {"a.csv": content}, source("a.csv"))
    assert column(rows, "text") == ["it’s", "…", "plain"]
    assert list(skipped.values()) == [2]


# --- sizes ---------------------------------------------------------------------------------------------------------


def repeated(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows), pa.array([text]))


MEASURED = """
import re, sys
from collections import Counter
from pathlib import Path
from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import table
from pipeline_lib.errors import PipelineError
path = Path(sys.argv[1])
try:
    list(table.read([path], Source(reader="table", label="m", licence="m", bundles=[[{"name": path.name}]]), Counter()))
except PipelineError as error:
    own = Path("/proc/self/status")  # not getrusage, which counts the process that started this one
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", own.read_text())[1]) >> 10 if own.exists() else 0
    print(peak, error)
"""


@pytest.mark.parametrize("kind", ["once", "in every row"])
def test_an_id_of_a_megabyte_is_refused_before_it_is_in_every_row_of_memory(tmp_path: Path, kind: str) -> None:
    rows = 30_000 if kind == "once" else 40
    ids = repeated("x" * 900_000, rows)
    columns = {
        "dialogue": ids if kind == "once" else ids.dictionary_decode(),
        "turn": range(rows),
        "text": ["a"] * rows,
    }
    pq.write_table(
        pa.table(columns), tmp_path / "a.parquet", store_schema=False, use_dictionary=kind == "once", compression="none"
    )
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "a.parquet")]
    peak, _, message = subprocess.run(command, capture_output=True, check=True, text=True).stdout.partition(" ")
    assert "dialogue is a text of 900,000 bytes" in message
    assert int(peak) < 600  # MiB; the ids come to 27,000 in the one file, to 36 in the other


def test_a_dialogue_of_too_many_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_LARGEST", 10_000)
    monkeypatch.setattr("pipeline_lib.files.user_tables._ROWS", 10)
    content = "dialogue,turn,text\n" + "".join(f"chat,{turn},{'x' * 100}\n" for turn in range(200))
    with pytest.raises(PipelineError, match="dialogue 'chat' has more than"):
        read(tmp_path, {"a.csv": content}, source("a.csv"))


# --- the corpora that docs/adding-a-corpus.md shows -----------------------------------------------------------------

PAGE = Path(__file__).parents[3] / "docs/adding-a-corpus.md"


@pytest.mark.parametrize(
    ("name", "folder", "turns", "gaps", "pairs"),
    [
        ("my_meld", "meld_friends", {"train": 9_989, "validation": 1_109, "test": 2_610}, 73, 12_276),
        ("my_emorynlp", "meld_friends", {"train": 7_551, "validation": 954, "test": 984}, 1_548, 8_662),
        ("my_southpark", "southpark", None, 0, 73_139 - 267),
    ],
)
def test_the_entries_of_the_page_read_the_published_files_as_they_are(
    tmp_path: Path,
    real_data: Callable[[str], Path],
    name: str,
    folder: str,
    turns: dict[str, int] | None,
    gaps: int,
    pairs: int,
) -> None:
    [block] = re.findall(
        r'^```yaml title="mine/published.yaml"\n(.*?)^```$', PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    settings = Source.model_validate(yaml.safe_load(block)["sources"][name])
    names = [file.name for file in settings.bundles[0]]
    contents = {file: gzip.decompress(real_data(f"{folder}/{file}.gz").read_bytes()) for file in names}
    rows, skipped = read(tmp_path, contents, settings)
    assert skipped.pop(table.GAPS, 0) == gaps
    assert not skipped
    assert turns is None or Counter(column(rows, "split")) == turns
    joined = sum(one["dialogue_id"] == two["dialogue_id"] for one, two in pairwise(rows))
    assert joined == pairs
    follow = sum(
        one["dialogue_id"] == two["dialogue_id"] and one["turn"] + 1 == two["turn"] for one, two in pairwise(rows)
    )
    assert follow == pairs - gaps
    assert all(column(rows, "speaker")[:100])
