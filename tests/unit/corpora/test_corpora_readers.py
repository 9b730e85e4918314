"""Readers, archives and splits against small files made here, and against the real corpora where they are at hand."""

import gzip
import io
import itertools
import json
import stat
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import lines
from pipeline_lib.corpora.readers import read_dialogues
from pipeline_lib.corpora.splits import hashed_split, official_splits
from pipeline_lib.errors import PipelineError
from pipeline_lib.files import archives
from pipeline_lib.files.archives import read_member
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import write_json
from pipeline_lib.schemas.dialogues import DIALOGUES

SHARES = {"validation": 0.3, "test": 0.3}


def rows(reader: str, folder: Path, contents: dict[str, bytes], **options: Any) -> list[dict[str, Any]]:
    """Dialogues of some files, as the stage would read them."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return rows_of(reader, folder, list(contents), **options)


def rows_of(reader: str, folder: Path, names: list[str], **options: Any) -> list[dict[str, Any]]:
    manifest = folder / "manifest.json"
    write_json(manifest, [{"name": name, "sha256": sha256(folder / name), "bytes": 0} for name in names])
    source = Source(
        reader=reader,
        label=reader,
        licence="none",
        bundles=[[{"name": name} for name in names]],
        **({"splits": SHARES} | options),
    )
    batches = list(read_dialogues(source, manifest))
    assert all(batch.schema == DIALOGUES for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()]


def texts(found: list[dict[str, Any]]) -> list[list[str]]:
    """Texts by dialogue, in order."""
    dialogues: dict[str, list[str]] = {}
    for row in found:
        dialogues.setdefault(row["dialogue_id"], []).append(row["text"])
    return list(dialogues.values())


def examples(found: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter(
        (first["text"], second["text"])
        for first, second in itertools.pairwise(found)
        if first["dialogue_id"] == second["dialogue_id"] and first["turn"] + 1 == second["turn"]
    )


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# --- DailyDialog ---------------------------------------------------------------------------------------------------

DAILY = {
    "train": b"Hi , Jim . __eou__ Hello ! __eou__ How are you ? __eou__\nBye . __eou__ See you . __eou__\n",
    "validation": "Café ? __eou__ Oui . __eou__\n".encode(),
    "test": b"One . __eou__ Two . __eou__\n",
}


def inner(split: str) -> bytes:
    member = {f"{split}/dialogues_{split}.txt": DAILY[split], f"__MACOSX/{split}/dialogues_{split}.txt": b"junk"}
    return zipped(member)


@pytest.mark.parametrize("form", ["release", "three zips", "three texts", "three gz"])
def test_every_form_of_dailydialog_gives_the_same_dialogues(tmp_path: Path, form: str) -> None:
    contents = {
        "release": {"ijcnlp_dailydialog.zip": zipped({f"ijcnlp/{split}.zip": inner(split) for split in DAILY})},
        "three zips": {f"{split}.zip": inner(split) for split in DAILY},
        "three texts": {f"dialogues_{split}.txt": text for split, text in DAILY.items()},
        "three gz": {f"dialogues_{split}.txt.gz": gzip.compress(text) for split, text in DAILY.items()},
    }[form]
    found = rows("dailydialog", tmp_path, contents)
    assert texts(found) == [
        ["Hi , Jim .", "Hello !", "How are you ?"],
        ["Bye .", "See you ."],
        ["Café ?", "Oui ."],
        ["One .", "Two ."],
    ]
    assert [row["split"] for row in found] == ["train"] * 5 + ["validation"] * 2 + ["test"] * 2


def test_an_empty_turn_does_not_make_a_pair_of_its_neighbours(tmp_path: Path) -> None:
    contents = {f"dialogues_{split}.txt": text for split, text in DAILY.items()}
    contents["dialogues_train.txt"] = b"a __eou__ __eou__ b __eou__ c __eou__\n\nalone __eou__\n"
    found = rows("dailydialog", tmp_path, contents)
    assert examples([row for row in found if row["split"] == "train"]) == {("b", "c"): 1}
    assert texts(found)[1] == ["alone"]


def test_bytes_that_are_not_utf8_are_named_by_file_and_line(tmp_path: Path) -> None:
    contents = {f"dialogues_{split}.txt": text for split, text in DAILY.items()}
    contents["dialogues_test.txt"] = b"One . __eou__ Two . __eou__\nThr\xe9e . __eou__ Four . __eou__\n"
    with pytest.raises(PipelineError, match="0xe9 is not UTF-8") as caught:
        rows("dailydialog", tmp_path, contents)
    assert caught.value.where.endswith("dialogues_test.txt, line 2")


def test_a_missing_split_of_dailydialog_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no file holds the test split"):
        rows("dailydialog", tmp_path, {"train.zip": inner("train"), "validation.zip": inner("validation")})


def test_the_real_dailydialog_has_its_published_size(tmp_path: Path, real_data: Callable[[str], Path]) -> None:
    contents = {f"{split}.zip": real_data(f"dailydialog/{split}.zip").read_bytes() for split in DAILY}
    found = rows("dailydialog", tmp_path, contents)
    assert Counter(row["split"] for row in found) == {"train": 87_171, "validation": 8_069, "test": 7_740}
    assert len({row["dialogue_id"] for row in found}) == 13_118
    assert sum(examples(found).values()) == 89_862  # T-1 examples of 13,118 dialogues


# --- subtitles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [7, 64, 4 << 20])
def test_films_end_at_empty_lines_wherever_the_blocks_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(archives, "_BLOCK", block)
    films = [[f"f{film}l{line}" for line in range(2 + film % 5)] for film in range(40)]
    content = "\n\n".join("\n".join(film) for film in films).replace("\n\n", "\n \r\n\n", 3)
    found = rows("opensubtitles", tmp_path, {"a.txt.gz": gzip.compress(content.encode())})
    assert texts(found) == films
    assert len({(row["dialogue_id"], row["split"]) for row in found}) == 40


def test_films_of_one_line_stay_for_the_window_decides(tmp_path: Path) -> None:
    films = "\n\n".join(f"a{n}\nb{n}" for n in range(30))
    found = rows("opensubtitles", tmp_path, {"a.txt": f"alone\n\n{films}\n\nlast\n".encode()})
    assert texts(found) == [["alone"], *([f"a{n}", f"b{n}"] for n in range(30)), ["last"]]


def test_a_file_without_film_boundaries_is_cut_into_blocks_of_a_thousand_lines(tmp_path: Path) -> None:
    content = "".join(f"line {n}\n" for n in range(30_500)).encode()
    found = rows("opensubtitles", tmp_path, {"a.txt": content})
    assert [len(dialogue) for dialogue in texts(found)] == [1000] * 30 + [500]
    assert [row["text"] for row in found] == [f"line {n}" for n in range(30_500)]


def test_file_names_that_tell_all_three_splits_are_believed(tmp_path: Path) -> None:
    contents = {f"{name}.txt": f"{name} a\n{name} b\n".encode() for name in ("train", "valid", "test")}
    found = rows("opensubtitles", tmp_path, contents)
    assert [row["split"] for row in found] == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    assert official_splits(["train.txt", "test.txt"]) is None


def test_subtitle_bytes_that_are_not_utf8_are_replaced_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\nb\xe9d\n\xff\xfe twice\n")
    skipped: Counter[str] = Counter()
    (found,) = lines.subtitle_lines(path, skipped)
    assert found.to_pylist() == ["good", "b\ufffdd", "\ufffd\ufffd twice"]
    assert list(skipped.values()) == [2]


NUMBERED = (
    "1  Hi .\t I\\' m here .\n3  So ?\t Yes .\n4  Yes .\t Good .\n\n5  broken\n6  Bye .\t \n1  New\tfilm\textra\n"
)


def numbered_pairs(content: str) -> Counter[tuple[str, str]]:
    """Examples of the file, line by line."""
    found: Counter[tuple[str, str]] = Counter()
    for line in content.split("\n"):
        number, _, rest = line.strip().partition(" ")
        sides = [side.strip().replace("\\'", "'") for side in rest.split("\t")]
        if number.isdigit() and len(sides) > 1 and all(sides[:2]):
            found[sides[0], sides[1]] += 1
    return found


@pytest.mark.parametrize("block", [30, 4 << 20])
def test_numbered_pairs_are_exactly_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(archives, "_BLOCK", block)
    found = rows("numbered", tmp_path, {"a.txt": (NUMBERED * 20).encode()})
    assert examples(found) == numbered_pairs(NUMBERED * 20)


def test_numbered_lines_that_go_on_make_one_dialogue_and_broken_ones_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        found = rows("numbered", tmp_path, {"a.txt": (NUMBERED * 20).encode()})
    assert texts(found)[:3] == [["Hi .", "I' m here ."], ["So ?", "Yes .", "Good ."], ["New", "film"]]
    assert "40 broken lines, 20 empty lines" in caplog.text
    films = {row["dialogue_id"].partition("-")[0]: row["split"] for row in found}
    assert all(row["split"] == films[row["dialogue_id"].partition("-")[0]] for row in found)


def test_many_broken_lines_are_warned_of_on_the_screen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows("numbered", tmp_path, {"a.txt": ("1 hi\tso\n2 yes\tno\n" * 40 + "no number\n" * 4).encode()})
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    rows("numbered", tmp_path, {"a.txt": ("1 hi\tso\n2 yes\tno\n" * 40 + "no number\n" * 40).encode()})
    (warning,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert "40 lines are broken for reader 'numbered' and left out; 160 turns were read" in warning


def test_the_real_numbered_file_gives_its_own_pairs(tmp_path: Path, real_data: Callable[[str], Path]) -> None:
    content = real_data("opensubtitles/opensubtitles_parlai_test.txt.gz").read_bytes()
    found = rows("numbered", tmp_path, {"a.txt.gz": content})
    expected = numbered_pairs(gzip.decompress(content).decode("utf-8", "replace"))
    assert expected.total() == 84_177  # lines with a tab, less one whose query is empty
    assert examples(found) == expected


# --- tables --------------------------------------------------------------------------------------------------------

TABLE = [
    {"id": f"d{d}", "n": n, "said": f'd{d}, "n{n}"', "who": "ab"[n % 2]} for d in range(40) for n in reversed(range(3))
]
COLUMNS = {"dialogue": "id", "turn": "n", "text": "said", "speaker": "who"}


def as_csv(table: list[dict[str, Any]]) -> bytes:
    quoted = [",".join('"' + str(value).replace('"', '""') + '"' for value in row.values()) for row in table]
    return "\n".join([",".join(table[0]), *quoted]).encode()


def as_jsonl(table: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table).encode()


def as_parquet(table: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table), buffer)
    return buffer.getvalue()


FORMS = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}


@pytest.mark.parametrize("kind", [*FORMS, "csv.gz", "jsonl.gz"])
def test_every_form_of_a_table_gives_the_same_dialogues(tmp_path: Path, kind: str) -> None:
    content = FORMS[kind.removesuffix(".gz")](TABLE)
    content = gzip.compress(content) if kind.endswith(".gz") else content
    found = rows("table", tmp_path, {f"a.{kind}": content}, columns=COLUMNS)
    assert texts(found) == [[f'd{d}, "n{n}"' for n in range(3)] for d in range(40)]
    assert [row["speaker"] for row in found[:3]] == ["a", "b", "a"]
    assert [row["turn"] for row in found[:6]] == [0, 1, 2, 0, 1, 2]


def changed(row: int, **values: Any) -> list[dict[str, Any]]:
    return [entry | values if number == row else entry for number, entry in enumerate(TABLE)]


@pytest.mark.parametrize(
    ("table", "columns", "problem", "place"),
    [
        (TABLE, COLUMNS | {"text": "sayd"}, "no column 'sayd'", "a.jsonl"),
        (changed(7, said=None), COLUMNS, "said is null or empty", "row 8"),
        (changed(7, said="  "), COLUMNS, "said is null or empty", "row 8"),
        (changed(4, n=2), COLUMNS, "turn 2 stands twice in dialogue 'd1'", "a.jsonl"),
        (TABLE + TABLE[:3], COLUMNS, "dialogue 'd0' begins a second time", "a.jsonl"),
        (TABLE, COLUMNS | {"split": "who"}, "who is 'a'", "row 1"),
    ],
)
def test_a_fault_in_a_table_is_named_with_its_place(
    tmp_path: Path, table: list[dict[str, Any]], columns: dict[str, str], problem: str, place: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        rows("table", tmp_path, {"a.jsonl": as_jsonl(table)}, columns=columns)
    assert problem in str(caught.value)
    assert place in caught.value.where
    assert caught.value.expected
    assert caught.value.remedy


def test_a_turn_number_that_is_none_is_named_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="n is 'two'") as caught:
        rows("table", tmp_path, {"a.csv": as_csv(changed(5, n="two"))}, columns=COLUMNS)
    assert "row 6" in caught.value.where


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b"a,b\n1\n"), ("a.parquet", b"no"), ("a.jsonl", b"{"), ("a.xls", b"")]
)
def test_a_file_that_is_no_table_is_an_error_of_its_own(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(PipelineError) as caught:
        rows("table", tmp_path, {name: content}, columns={"dialogue": "a", "turn": "b", "text": "a"})
    assert name in caught.value.where


def test_a_dialogue_of_one_turn_stays_where_it_stood_in_the_table(tmp_path: Path) -> None:
    table = [row for row in TABLE if row["id"] != "d1" or row["n"] == 2]
    found = rows("table", tmp_path, {"a.jsonl": as_jsonl(table)}, columns=COLUMNS)
    assert texts(found)[:3] == [[f'd0, "n{n}"' for n in range(3)], ['d1, "n2"'], [f'd2, "n{n}"' for n in range(3)]]
    assert found[3]["turn"] == 0


def test_a_dialogue_in_two_splits_is_an_error(tmp_path: Path) -> None:
    table = [row | {"part": "test" if number == 4 else "train"} for number, row in enumerate(TABLE)]
    with pytest.raises(PipelineError, match="dialogue 'd1' is in two splits"):
        rows("table", tmp_path, {"a.csv": as_csv(table)}, columns=COLUMNS | {"split": "part"})


# --- archives, splits, manifests -----------------------------------------------------------------------------------


def linked() -> bytes:
    info = zipfile.ZipInfo("a.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zipped({"../a.txt": b"x"}), "unsafe member"),
        (zipped({"/tmp/a.txt": b"x"}), "unsafe member"),
        (zipped({"..\\a.txt": b"x"}), "unsafe member"),
        (zipped({"C:\\a.txt": b"x"}), "unsafe member"),
        (linked(), "unsafe member"),
        (zipped({"a.txt": bytes(40 << 20)}), "expands to more than 200 times its size"),
        (zipped({"b.txt": b"x"}), "no members named 'a.txt'"),
        (zipped({"x/a.txt": b"x", "y/a.txt": b"x"}), "2 members named"),
        (zipped({"a.txt": b"hello" * 50})[:-30], "damaged, cut off"),
        (b"PK\x03\x04 rubbish", "damaged, cut off"),
    ],
    ids=itertools.count(),  # not the bytes: an archive holds the time
)
def test_an_unsafe_or_damaged_zip_is_refused_by_name(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        read_member(path, "a.txt")
    assert problem in caught.value.problem
    assert "a.zip" in caught.value.where
    assert caught.value.remedy


def test_a_cut_off_gzip_stream_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    content = gzip.compress("".join(f"{n}\n" for n in range(9999)).encode())[:-100]
    with pytest.raises(PipelineError, match="damaged, cut off") as caught:
        rows("opensubtitles", tmp_path, {"a.txt.gz": content})
    assert "run again" in caught.value.remedy


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="expands to more than"):
        rows("opensubtitles", tmp_path, {"a.txt.gz": gzip.compress(b"a line of a bomb\n" * (1 << 20))})


def test_hashed_splits_have_the_shares_asked_for_and_change_with_the_seed() -> None:
    first = [hashed_split(str(unit), {"validation": 0.1, "test": 0.2}, seed=1) for unit in range(10_000)]
    second = [hashed_split(str(unit), {"validation": 0.1, "test": 0.2}, seed=2) for unit in range(10_000)]
    counts = Counter(first)
    assert abs(counts["validation"] - 1000) < 4 * 30  # four standard deviations of a binomial
    assert abs(counts["test"] - 2000) < 4 * 40
    assert first != second


def test_a_file_that_changed_since_it_was_fetched_is_an_error(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", [{"name": "a.txt", "sha256": "0" * 64, "bytes": 1}])
    source = Source(reader="opensubtitles", label="x", licence="none", bundles=[[{"name": "a.txt"}]])
    with pytest.raises(PipelineError, match="is missing"):
        next(read_dialogues(source, tmp_path / "manifest.json"))
    (tmp_path / "a.txt").write_text("a\nb\n")
    with pytest.raises(PipelineError, match="has changed"):
        next(read_dialogues(source, tmp_path / "manifest.json"))


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_corpus_without_a_usable_dialogue_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PipelineError, match="no usable dialogue"):
        rows("opensubtitles", tmp_path, {"a.txt": content})


@pytest.mark.parametrize(
    ("reader", "name", "content"),
    [("post_reply", "a.txt", b""), ("table", "a.csv", b"dialogue,turn,text\n")],
)
def test_a_corpus_without_rows_is_an_error_that_names_its_file(
    tmp_path: Path, reader: str, name: str, content: bytes
) -> None:
    with pytest.raises(PipelineError, match="it has no rows") as caught:
        rows(reader, tmp_path, {name: content})
    assert name in caught.value.where


def test_an_empty_split_is_an_error_that_says_which(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="validation and the test split"):
        rows("opensubtitles", tmp_path, {"a.txt": b"a\nb\n"}, splits={"validation": 0.0, "test": 0.0})
