"""Nothing that comes from outside is run: no pickle, no unsafe YAML, no archive unpacked, no text put into a shell."""

import ast
import io
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fuzz_strategies import gzipped, zipped

from pipeline_lib.config.loading import read_yaml
from pipeline_lib.errors import PipelineError
from pipeline_lib.files import archives
from pipeline_lib.files.archives import read_member
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.files.user_tables import read_rows
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.vectors.glove import select_vectors

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "src/pipeline_lib").rglob("*.py"), *(ROOT / "workflow").rglob("*.py")])
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]


# --- what the code does not do -------------------------------------------------------------------------------------

MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
CALLS = {
    *("eval", "exec", "compile", "os.system", "os.popen", "tempfile.mktemp", "shutil.unpack_archive"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "pd.read_pickle", "pandas.read_pickle"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "tarfile.open", "pa.deserialize"),
}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.partition(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            name, given = dotted(node.func), {k.arg: k.value for k in node.keywords}
            if name in CALLS or name.endswith((".extractall", ".extract")):
                yield f"{name}(…)"
            if name in ("np.load", "numpy.load") and "allow_pickle" not in given:
                yield f"{name}(…) without allow_pickle"
            if any(
                isinstance(v, ast.Constant) and v.value is True for v in (given.get("shell"), given.get("allow_pickle"))
            ):
                yield f"{name}(… shell or allow_pickle=True)"
            if any(name == "weights_only" for name in given):
                yield f"{name}(… weights_only)"


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from dill import loads", "torch.load(p)", "np.load(p)", "np.load(p, allow_pickle=True)"),
        *(
            "yaml.load(t)",
            "eval(t)",
            "subprocess.run(c, shell=True)",
            "os.system(c)",
            "zipfile.ZipFile(p).extractall()",
        ),
    ],
)
def test_the_search_for_dangerous_calls_finds_them(code: str) -> None:
    found = list(dangers(ast.parse(code)))
    assert found or "ZipFile(p)" in code  # a call on a call has no dotted name: see the next line
    assert list(dangers(ast.parse("z.extractall()")))


def test_no_module_or_script_unpickles_evaluates_unpacks_or_starts_a_shell() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in SOURCES
        if (names := list(dangers(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert found == {}


# placeholders without `:q`, and why no shell character gets into them
UNQUOTED = {
    **dict.fromkeys(["wildcards.corpus", "wildcards.system", "wildcards.table", "params.kind"], "match config.Name"),
    **dict.fromkeys(["wildcards.seed", "wildcards.split", "wildcards.method"], "one of a list of ours"),
    **dict.fromkeys(["threads", "resources.gpu", "resources.nodes"], "numbers that rules or profiles set"),
    **dict.fromkeys(["params.level", "params.run"], "numbers of the configuration"),
    "params.device": "one of a list of ours",
    "params.function": "matches the pattern of SystemSettings.function",
    "params.code": "hex digits",
    "params.dimension": "an option of ours and a number",
    "params.manifest": "quoted where it is made",
    "resources.mirrors": "quoted where it is made",
}


def test_rules_quote_whatever_they_put_into_a_command() -> None:
    placeholders = {
        (path.name, name)
        for path in RULES
        for text in re.findall(r"^    shell:\n((?:        .*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in re.findall(r"\{([^{}]+)\}", text)
    }
    assert len(placeholders) > 100
    assert {(file, name) for file, name in placeholders if not name.endswith(":q") and name not in UNQUOTED} == set()


# --- pickles -------------------------------------------------------------------------------------------------------


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def _torch_archive(pickled: bytes) -> bytes:
    return zipped({"archive/data.pkl": pickled, "archive/version": b"3\n"}, zipfile.ZIP_STORED)


def _numpy_array(path: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Canary(path)], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["pickle", "torch", "numpy", "gzip", "behind a header"])
def test_a_pickle_from_outside_is_refused_and_never_run(tmp_path: Path, form: str) -> None:
    from pipeline_lib.models.weights import load_tensors

    canary = tmp_path / "canary"
    pickled = pickle.dumps(Canary(canary))
    pickle.loads(pickled)
    assert canary.is_dir(), "the pickle is harmless, and so proves nothing"
    canary.rmdir()
    content = {
        "pickle": pickled,
        "torch": _torch_archive(pickled),
        "numpy": _numpy_array(canary),
        "gzip": gzipped(pickled),
        "behind a header": struct.pack("<Q", 2) + b"{}" + pickled,
    }[form]
    readers: dict[str, Callable[[Path], Any]] = {
        "model.safetensors": load_tensors,
        "model.pt": load_tensors,
        "examples.parquet": lambda path: read_parquet(path, EXAMPLES),
        "glove.txt": lambda path: select_vectors(path, pa.array(["hello"])),
        "glove.zip": lambda path: select_vectors(path, pa.array(["hello"])),
        "answers.pkl": lambda path: list(read_rows(path, {"context": "context"})),
        "answers.parquet": lambda path: list(read_rows(path, {"context": "context"})),
        "answers.csv": lambda path: list(read_rows(path, {"context": "context"})),
        "config.yaml": read_yaml,
    }
    for name, read in readers.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(PipelineError) as caught:
            read(path)
        assert name in caught.value.where
        assert not canary.exists(), f"{name} was run"


@pytest.mark.parametrize(
    "tag", ["python/object/apply:os.mkdir [canary]", "python/name:os.system x", "python/module:os x"]
)
def test_yaml_that_names_python_objects_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(f"seeds: !!{tag}\n")
    with pytest.raises(PipelineError, match="could not determine a constructor"):
        read_yaml(Path("config.yaml"))
    assert not Path("canary").exists()


# --- archives ------------------------------------------------------------------------------------------------------


def test_a_size_that_the_directory_of_a_zip_lies_about_does_not_let_a_bomb_through(tmp_path: Path) -> None:
    bomb = bytearray(zipped({"a.txt": bytes(64 << 20)}))
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        stored = archive.infolist()[0].compress_size
    place = bomb.rindex(struct.pack("<LL", stored, 64 << 20))
    bomb[place + 4 : place + 8] = struct.pack("<L", 100)
    path = tmp_path / "a.zip"
    path.write_bytes(bomb)
    with pytest.raises(PipelineError, match=r"damaged|expands to more"):
        read_member(path, "a.txt")


def test_a_zip_in_a_zip_is_bounded_at_both_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"b.zip": zipped({"c.txt": bytes(64 << 20)})}))
    with pytest.raises(PipelineError, match="expands to more") as caught:
        read_member(path, "b.zip", "c.txt")
    assert "a.zip > b.zip > c.txt" in caught.value.where
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 50)
    with pytest.raises(PipelineError, match="expands to more"):
        read_member(path, "b.zip", "c.txt")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_compressed_table_that_expands_without_bound_is_stopped(tmp_path: Path, kind: str) -> None:
    row = b"d,0,a\n" if kind == "csv" else b'{"dialogue": "d", "turn": 0, "text": "a"}\n'
    path = tmp_path / f"a.{kind}.gz"
    path.write_bytes(gzipped((b"dialogue,turn,text\n" if kind == "csv" else b"") + row * ((32 << 20) // len(row))))
    with pytest.raises(PipelineError, match="expands to more than"):
        for _ in read_rows(path, {key: key for key in ("dialogue", "turn", "text")}):
            pass


def test_a_long_text_that_parquet_stores_once_is_not_repeated_in_memory(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    rows, long = 20_000, "x" * (1 << 19)
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([long]))  # 10 GB if repeated
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"context": text}), path, store_schema=False)
    assert path.stat().st_size < 2 << 20
    largest = 0
    for number, batch in enumerate(read_rows(path, {"context": "context"})):
        largest = max(largest, batch.nbytes)
        if number == 3:
            break
    assert 0 < largest <= 65 << 20
