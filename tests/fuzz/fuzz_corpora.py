"""Corpora as text: DailyDialog, OpenSubtitles and numbered examples against parsers of a few lines of Python."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fuzz_promise import Reader, as_browsers, refused_or
from fuzz_strategies import damaged, encoded, gunzipped, gzipped, perhaps_damaged, phrases, plain, zipped
from hypothesis import strategies as st

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import dailydialog, numbered, opensubtitles
from pipeline_lib.files import archives
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS

Row = dict[str, Any]
BLOCK = 4 << 20
BLOCKS = st.sampled_from([32, 200, BLOCK])  # bytes read at a time: small ones put boundaries everywhere


def source(reader: str, files: list[Path], **options: Any) -> Source:
    bundle = [{"name": path.name} for path in files]
    return Source(reader=reader, label=reader, licence="none", bundles=[bundle], **options)


def read(module: Any, files: list[Path], block: int = BLOCK) -> tuple[list[Row], Counter[str]] | None:
    """Rows and what was skipped, or None: refused."""
    skipped: Counter[str] = Counter()

    def rows() -> list[Row]:
        batches = list(module.read(files, source(module.__name__.rpartition(".")[2], files), skipped))
        assert all(batch.schema == DIALOGUES for batch in batches)
        return [row for batch in batches for row in batch.to_pylist()]

    with patch.object(archives, "_BLOCK", block):
        found = refused_or(rows)
    if found is None:
        return None
    assert {row["split"] for row in found} <= set(SPLITS)
    return found, skipped


def dialogues(rows: list[Row]) -> dict[str, list[tuple[int, str]]]:
    grouped: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        grouped.setdefault(row["dialogue_id"], []).append((row["turn"], row["text"]))
    return grouped


# --- DailyDialog ---------------------------------------------------------------------------------------------------


def _turns(line: str) -> list[tuple[int, str]]:
    parts = [part.strip() for part in line.strip().split("__eou__")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    return [(position, part) for position, part in enumerate(parts) if part]


def _check_dailydialog(folder: Path, case: tuple[str, list[bytes], bytes | None]) -> bool:
    form, contents, whole = case
    by_split: dict[str, bytes | None] = dict(zip(SPLITS, contents, strict=True))
    if form == "release":
        inner = {f"x/{split}.zip": zipped({f"dialogues_{split}.txt": by_split[split] or b""}) for split in SPLITS}
        (folder / "release.zip").write_bytes(zipped(inner) if whole is None else whole)
        files = [folder / "release.zip"]
    else:
        files = [folder / f"dialogues_{split}.{form}" for split in SPLITS]
        for path, split in zip(files, SPLITS, strict=True):
            path.write_bytes(by_split[split] or b"")
            if form == "txt.gz":
                by_split[split] = gunzipped(by_split[split] or b"")
    result = read(dailydialog, files)
    if result is None:
        return False
    if whole is not None:
        return True  # the archive is damaged, yet its checksums hold; what it holds is checked in `archives`
    rows, skipped = result
    expected, lines = {}, 0
    for split, content in by_split.items():
        assert content is not None, "a damaged gzip stream was read"
        text = as_browsers(content.decode("utf-8").removeprefix("\ufeff"))
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
            lines += 1
            if turns := _turns(line):
                expected[f"{split}-{number:06d}"] = turns
    assert dialogues(rows) == expected
    assert len(expected) + skipped["empty dialogues"] == lines
    return True


_daily = st.lists(st.lists(phrases, max_size=4).map(" __eou__ ".join), max_size=5).map("\n".join)
_daily_bytes = perhaps_damaged(encoded(_daily))
_release = st.binary(max_size=40).map(
    lambda text: zipped({f"x/{split}.zip": zipped({f"dialogues_{split}.txt": text}) for split in SPLITS})
)
_dailydialog = st.one_of(
    st.tuples(st.just("txt"), st.lists(_daily_bytes, min_size=3, max_size=3), st.none()),
    st.tuples(
        st.just("txt.gz"), st.lists(perhaps_damaged(_daily_bytes.map(gzipped)), min_size=3, max_size=3), st.none()
    ),
    st.tuples(st.just("release"), st.lists(_daily_bytes, min_size=3, max_size=3), st.none() | damaged(_release)),
)

# --- subtitles -----------------------------------------------------------------------------------------------------


def _plain_files(folder: Path, case: list[tuple[bytes, bool]]) -> tuple[list[Path], list[bytes | None]]:
    files, contents = [], []
    for number, (content, compressed) in enumerate(case):
        path = folder / f"part{number}.txt{'.gz' if compressed else ''}"
        path.write_bytes(content)
        files.append(path)
        contents.append(gunzipped(content) if compressed else content)
    return files, contents


def _lines(content: bytes | None) -> list[str]:
    assert content is not None, "a damaged gzip stream was read"
    text = as_browsers(content.decode("utf-8", "replace").removeprefix("\ufeff"))
    return [line.strip() for line in text.removesuffix("\n").split("\n")] if content else []


def _is_no_text(content: bytes | None) -> bool:
    """Tell whether a file is damaged, UTF-16, or has many lines with bytes that are not UTF-8 text."""
    if content is None or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    lines = content.decode("utf-8", "replace").removesuffix("\n").split("\n")
    return sum("\ufffd" in line or "\0" in line for line in lines) > max(20, 0.05 * len(lines))


def _check_opensubtitles(folder: Path, case: tuple[list[tuple[bytes, bool]], int]) -> bool:
    files, contents = _plain_files(folder, case[0])
    result = read(opensubtitles, files, case[1])
    if result is None:
        assert case[1] < BLOCK or any(map(_is_no_text, contents)), "text that holds no fault was refused"
        return False
    rows, _ = result
    films: list[list[str]] = []
    for content in contents:
        lines = _lines(content)
        limit = 20_000 if "" in lines else 1_000
        run: list[str] = []
        for line in [*lines, ""]:
            if not line or len(run) == limit:
                films += [run] if run else []
                run = []
            run += [line] if line else []
    expected = {f"{number:08d}": list(enumerate(film)) for number, film in enumerate(films)}
    assert dialogues(rows) == expected
    return True


_film_text = st.tuples(
    st.lists(st.one_of(phrases, plain, st.just("")), max_size=12), st.sampled_from([1] * 12 + [90])
).map(lambda parts: "\n".join(parts[0] * parts[1]))
_subtitle_file = st.one_of(
    st.tuples(perhaps_damaged(encoded(_film_text)), st.just(False)),
    st.tuples(perhaps_damaged(encoded(_film_text).map(gzipped)), st.just(True)),
)
_opensubtitles = st.tuples(st.lists(_subtitle_file, min_size=1, max_size=2), BLOCKS)

# --- numbered examples ------------------------------------------------------------------------------------------------


def _example(line: str) -> tuple[str, str] | None:
    number, _, rest = line.partition(" ")
    sides = [side.strip().replace("\\'", "'") for side in rest.split("\t")]
    if number.isascii() and number.isdigit() and len(number) < 10 and len(sides) > 1 and all(sides[:2]):
        return sides[0], sides[1]
    return None


def _check_numbered(folder: Path, case: tuple[list[tuple[bytes, bool]], int]) -> bool:
    files, contents = _plain_files(folder, case[0])
    result = read(numbered, files, case[1])
    if result is None:
        assert case[1] < BLOCK or any(map(_is_no_text, contents)), "text that holds no fault was refused"
        return False
    rows, skipped = result
    lines = [line for content in contents for line in _lines(content)]
    expected = Counter(example for line in lines if (example := _example(line)))
    turns = [[text for _, text in dialogue] for dialogue in dialogues(rows).values()]
    assert Counter(example for texts in turns for example in pairwise(texts)) == expected
    assert expected.total() + skipped["broken lines"] + skipped["empty lines"] == len(lines)
    return True


_numbers = st.one_of(st.integers(0, 4).map(str), st.integers(-1, 10**11).map(str), phrases)
_numbered_line = st.one_of(
    st.builds("{} {}\t{}".format, st.integers(1, 4), plain, plain),
    st.builds("{}{}{}\t{}{}".format, _numbers, st.sampled_from([" ", "  ", "\t", ""]), phrases, phrases, phrases),
    st.builds("{} {}\t{}\t{}".format, st.integers(1, 4), phrases, phrases, phrases),
    phrases,
)
_numbered_text = st.lists(_numbered_line, max_size=10).map("\n".join)
_numbered_file = st.one_of(
    st.tuples(perhaps_damaged(encoded(_numbered_text)), st.just(False)),
    st.tuples(perhaps_damaged(encoded(_numbered_text).map(gzipped)), st.just(True)),
)

# --- archives ------------------------------------------------------------------------------------------------------


def _check_archive(folder: Path, case: tuple[bytes, bytes]) -> bool:
    content, archive = case
    (folder / "a.zip").write_bytes(archive)
    before = set(folder.parent.iterdir())
    found = refused_or(lambda: archives.read_member(folder / "a.zip", "a.txt"))
    assert set(folder.parent.iterdir()) == before, "something was written outside"
    assert [path.name for path in folder.iterdir()] == ["a.zip"], "something was unpacked"
    assert found in (None, content), "other bytes came out than went in, though each member has a checksum"
    return found is not None


@st.composite
def _archives(draw: st.DrawFn) -> tuple[bytes, bytes]:
    content = draw(st.binary(max_size=60))
    name = draw(st.sampled_from(["a.txt", "x/a.txt", "../a.txt", "/a.txt", "x\\a.txt", "é/a.txt", "a.txt/", "b.txt"]))
    method = draw(st.sampled_from([0, 8, 12, 14]))  # stored, deflate, bzip2, LZMA
    more = draw(st.dictionaries(st.sampled_from(["b.txt", "__MACOSX/a.txt", "y/a.txt", "c\x00d"]), st.just(content)))
    archive = zipped({name: content} | more, method)
    return content, draw(perhaps_damaged(st.just(archive)))


READERS = [
    Reader("DailyDialog", _dailydialog, _check_dailydialog),
    Reader("OpenSubtitles", _opensubtitles, _check_opensubtitles),
    Reader("numbered examples", st.tuples(st.lists(_numbered_file, min_size=1, max_size=2), BLOCKS), _check_numbered),
    Reader("zip archives", _archives(), _check_archive),
]
