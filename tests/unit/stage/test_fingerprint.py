"""Stage fingerprints: an edit changes those of the stages that it can change, and no others."""

import shutil
import sys
from pathlib import Path

import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.stage import fingerprint

ROOT = Path(__file__).parents[3]
FILES = {
    "stage.py": '"""A stage."""\nfrom pipeline_lib.a import work\nfrom pipeline_lib.d import check\n\nwork()\n',
    "pipeline_lib/__init__.py": "",
    "pipeline_lib/a.py": (
        'def work() -> int:\n    """Work."""\n    from pipeline_lib import b\n\n    return b.value("words.json")\n'
    ),
    "pipeline_lib/b/__init__.py": "from .deep import value\n",
    "pipeline_lib/b/deep.py": "from .. import c\n\ndef value(x):\n    return c.one + 1\n",
    "pipeline_lib/c.py": "import pipeline_lib.a  # a cycle\none = 1\n",
    "pipeline_lib/errors.py": "REMAKE = 'delete it'\nclass PipelineError(Exception):\n    pass\n",
    "pipeline_lib/stage/__init__.py": "",
    "pipeline_lib/stage/progress.py": "_SECONDS_BETWEEN_LINES = 10.0\n",
    "pipeline_lib/schemas/__init__.py": "",
    "pipeline_lib/schemas/cases.py": "CASES = ['case']\n",
    "pipeline_lib/schemas/scores.py": "SCORES = ['value']\n",
    "pipeline_lib/d.py": (
        "import logging\n\nfrom pipeline_lib import errors\nfrom pipeline_lib.errors import REMAKE, PipelineError\n"
        "from pipeline_lib.stage.progress import _SECONDS_BETWEEN_LINES\n"
        "from pipeline_lib.schemas.scores import SCORES\n"
        "log = logging.getLogger(__name__)\n\n"
        "def check(x):\n    log.info('checking %s', x)\n    notes = {'least': 0}\n    notes.update({'most': 9})\n"
        "    if x < 0:\n        raise PipelineError('below zero', where='x', remedy=REMAKE)\n"
        "    if x > 9:\n        raise errors.PipelineError(f'{x} is above nine')\n    return SCORES\n"
    ),
    "pipeline_lib/unused.py": "two = 2\n",
    "pipeline_lib/words.json": "{}",
    "pipeline_lib/other.json": "{}",
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Write `FILES` with some replaced into a new folder and take the fingerprint of the stage there."""
    count = iter(range(100))

    def take(*extra_modules: str, **edits: str) -> str:
        root = tmp_path / str(next(count))
        for name, text in {**FILES, **edits}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(fingerprint, "PACKAGE", root / "pipeline_lib")
        return fingerprint.stage_fingerprint(root / "stage.py", extra_modules)

    return take


def edited(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return {name: FILES[name].replace(old, new)}


@pytest.mark.parametrize(
    "edit",
    [
        edited("stage.py", "A stage.", "The stage, in other words."),
        edited("pipeline_lib/a.py", '    """Work."""\n', '    """Work hard.\n\n    Long.\n    """\n'),
        edited("pipeline_lib/a.py", '    """Work."""\n', ""),
        edited("pipeline_lib/c.py", "  # a cycle", "\n\n# comment\n"),
        edited("pipeline_lib/b/deep.py", "c.one + 1", "(c.one\n        + 1)"),
        edited("pipeline_lib/unused.py", "2", "3"),
        edited("pipeline_lib/other.json", "{}", "[]"),
        edited("pipeline_lib/d.py", "'below zero', where='x'", "'x is negative', where='x', expected='a number'"),
        edited("pipeline_lib/d.py", "f'{x} is above nine'", "f'{x + 1} is above ten', 'or so'"),
        edited("pipeline_lib/d.py", "'checking %s'", "'looking at %s'"),
        edited("pipeline_lib/errors.py", "delete it", "delete it and run again"),
        edited("pipeline_lib/stage/progress.py", "10.0", "5.0"),
        edited("pipeline_lib/schemas/cases.py", "'case'", "'case', 'count'"),
    ],
    ids=[
        "script docstring",
        "docstring",
        "no docstring",
        "comment",
        "layout",
        "module not imported",
        "file not named",
        "words of an error",
        "words of an error by its full name",
        "words of a log message",
        "words that errors share",
        "how often progress is shown",
        "column of a table that the stage does not read",
    ],
)
def test_what_cannot_change_a_result_keeps_the_fingerprint(digest, edit):
    assert digest(**edit) == digest()


@pytest.mark.parametrize(
    "edit",
    [
        edited("stage.py", "work()", "work() or work()"),
        edited("pipeline_lib/a.py", "b.value", "not b.value"),
        edited("pipeline_lib/b/deep.py", "+ 1", "- 1"),
        edited("pipeline_lib/b/deep.py", "1", "1.0"),
        edited("pipeline_lib/b/deep.py", "(x)", "(x, y=None)"),
        edited("pipeline_lib/c.py", "one = 1", "one = '1'"),
        edited("pipeline_lib/__init__.py", "", "import pipeline_lib.unused"),
        edited("pipeline_lib/words.json", "{}", "[]"),
        edited("pipeline_lib/d.py", "x < 0", "x < 1"),
        edited("pipeline_lib/d.py", "raise PipelineError", "raise ValueError"),
        edited("pipeline_lib/d.py", "'most': 9", "'most': 8"),
        edited("pipeline_lib/schemas/scores.py", "'value'", "'value', 'low'"),
    ],
    ids=[
        "script",
        "import in a function",
        "operator",
        "type",
        "parameter",
        "cycle",
        "package",
        "named data file",
        "when an error is raised",
        "which error",
        "a call that is no error",
        "column of its table",
    ],
)
def test_code_that_the_stage_reaches_changes_the_fingerprint(digest, edit):
    assert digest(**edit) != digest()


def test_a_module_of_the_users_own_counts_where_it_is_named_and_is_not_run(digest, tmp_path, monkeypatch):
    own = tmp_path / "own"
    monkeypatch.setattr(sys, "path", [str(own), *sys.path])
    taken = []
    for number in (1, 1, 2):
        own = own.parent / f"own{len(taken)}"
        (own / "mymodels").mkdir(parents=True)
        (own / "mymodels/__init__.py").write_text("raise RuntimeError('was run')\n")
        (own / "mymodels/net.py").write_text("from . import part\nimport pipeline_lib.unused\n")
        (own / "mymodels/part.py").write_text(f"size = {number}\n")
        sys.path[0] = str(own)
        taken.append(digest("mymodels.net"))
    assert taken[0] == taken[1] != taken[2]
    assert digest("mymodels.net", **{"pipeline_lib/unused.py": "two = 3\n"}) != taken[2]
    assert "mymodels" not in sys.modules


def test_a_syntax_error_names_file_and_line(digest):
    with pytest.raises(PipelineError) as caught:
        digest(**{"pipeline_lib/c.py": "one = 1\n\ndef broken(:\n"})
    assert caught.value.where.endswith("pipeline_lib/c.py:3")
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["no_such_module", "pipeline_lib.no_such", "no_such.part"])
def test_a_module_that_does_not_exist_is_named(digest, name):
    with pytest.raises(PipelineError, match=name) as caught:
        digest(name)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/phases.py", "expected=", "expected='in other words, ' + "),
        ("models/weights.py", "remedy=", "remedy='in other words, ' + "),
        ("config/training.py", 'description="', 'description="in other words, '),
        ("config/systems.py", 'description="', 'description="in other words, '),
        ("text/pieces.py", "_LONGEST = 100", "_LONGEST = 90"),
        ("decoding/beam.py", "torch.inf", "float('inf')"),
        ("tables/scores.py", "def make", "def made"),
        ("schemas/cases.py", "pa.field(", "pa.field('new', pa.string()), pa.field("),
        ("stage/progress.py", "_SECONDS_BETWEEN_LINES = 10", "_SECONDS_BETWEEN_LINES = 30"),
    ],
)
def test_rewording_and_edits_elsewhere_train_nothing_again(tmp_path, monkeypatch, file, old, new):
    """On the project's own code, of a greedy system over words."""
    modules = [f"pipeline_lib.{name}" for name in ("models.seq2seq", "text.words", "decoding.greedy")]

    def digests() -> list[str]:
        fingerprint._fingerprint.cache_clear()
        fingerprint._code.cache_clear()
        fingerprint._along.cache_clear()
        scripts = (ROOT / f"workflow/scripts/{name}.py" for name in ("train_model", "generate_responses"))
        return [fingerprint.stage_fingerprint(script, modules) for script in scripts]

    copy = tmp_path / "pipeline_lib"
    shutil.copytree(ROOT / "src/pipeline_lib", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    before = digests()
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    assert digests() == before
    seq2seq = copy / "models/seq2seq.py"
    seq2seq.write_text(seq2seq.read_text(encoding="utf-8") + "\nADDED = 1\n", encoding="utf-8")
    assert digests() != before


def test_every_script_of_the_workflow_has_a_fingerprint_of_its_own():
    scripts = sorted((ROOT / "workflow/scripts").glob("*.py"))
    assert len({fingerprint.stage_fingerprint(script) for script in scripts}) == len(scripts) > 0
