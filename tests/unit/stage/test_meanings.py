"""What modules mean is kept from one start to the next, and a kept meaning is never taken for that of other code."""

import json
from pathlib import Path

import pytest

from pipeline_lib.stage import meanings
from pipeline_lib.stage.meaning import meaning_of
from pipeline_lib.stage.meanings import Meanings

SOURCE = b"from ..text import ids\nimport json\n\nFILES = ['words.json']\n"
OTHER = SOURCE.replace(b"ids", b"ragged")


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "cache" / "meanings.json"


def refuse(source: bytes) -> None:
    raise AssertionError("parsed again")


def test_a_meaning_holds_what_the_module_imports_and_the_files_that_it_may_name():
    found = meaning_of(SOURCE)
    assert (found.imports, found.files) == (["..text.ids", "json"], ["words.json"])


def test_a_source_is_parsed_once_for_all_processes(file, monkeypatch):
    first = Meanings(file)
    found = first.of(SOURCE)
    first.save()
    monkeypatch.setattr(meanings, "meaning_of", refuse)
    assert Meanings(file).of(SOURCE) == found == meaning_of(SOURCE)


def test_another_source_is_parsed(file):
    first = Meanings(file)
    first.of(SOURCE)
    first.save()
    assert Meanings(file).of(OTHER) == meaning_of(OTHER) != meaning_of(SOURCE)


def test_meanings_read_by_another_revision_are_left(file):
    first = Meanings(file)
    first.of(SOURCE)
    first.save()
    kept = json.loads(file.read_text())
    for own in kept["meanings"].values():
        own[0] = "of the other revision"
    file.write_text(json.dumps(kept | {"reader": "another"}))
    assert Meanings(file).of(SOURCE) == meaning_of(SOURCE)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"reader": 1}', '{"reader": "%s", "meanings": {"a": [1]}}'])
def test_a_damaged_file_is_as_good_as_none(file, text):
    first = Meanings(file)
    file.parent.mkdir()
    file.write_text(text.replace("%s", first._reader))
    second = Meanings(file)
    assert second.of(SOURCE) == meaning_of(SOURCE)
    second.save()
    assert len(json.loads(file.read_text())["meanings"]) == 1


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    found = Meanings(tmp_path / "cache" / "meanings.json")
    found.of(SOURCE)
    found.save()
    assert (tmp_path / "cache").read_text() == "a file, not a folder"


def test_no_more_than_the_most_are_kept_the_newest_first(file, monkeypatch):
    monkeypatch.setattr(meanings, "_MOST", 2)
    for sources in ([b"a = 1", b"b = 1"], [b"c = 1"]):
        made = Meanings(file)
        for source in sources:
            made.of(source)
        made.save()
    monkeypatch.setattr(meanings, "meaning_of", refuse)
    kept = Meanings(file)
    assert kept.of(b"c = 1")
    assert len(json.loads(file.read_text())["meanings"]) == 2
    assert sorted(path.name for path in file.parent.iterdir()) == ["meanings.json"]
