"""Vectors trained by glove-python-binary, which needs Python 3.6-3.8: in an environment of its own, through files.

The package trains one set of vectors, used on both sides of the inner product, where the paper (and
`pipeline_lib.vectors.glove_training`) trains main and context vectors and adds them.
"""

import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.config.embeddings import GloveTraining
from pipeline_lib.errors import PipelineError
from pipeline_lib.text.ragged import keep_tokens

log = logging.getLogger(__name__)

PACKAGE = "glove-python-binary==0.2.0"
_VERSIONS = ("3.8", "3.7", "3.6")
_WORKER = Path(__file__).with_name("glove_package_worker.py")
_READY = "ready.txt"  # written into an environment whose installation finished


@dataclass(frozen=True)
class PackageVectors:
    """The vectors that the package learnt.

    Attributes:
        tokens: (V) string.
        vectors: (V, E) float32.
        biases: (V) float32.
    """

    tokens: pa.Array
    vectors: np.ndarray
    biases: np.ndarray


def train_with_package(
    texts: Iterable[pa.Array], tokens: pa.Array, settings: GloveTraining, folder: Path
) -> PackageVectors:
    """Train on the sentences of ``texts``.

    Args:
        texts: batches of (N) string: tokens joined by one space.
        tokens: string, the tokens to train; others are removed from the sentences first.
        folder: the folder of the environment; made if it is not there.
    Raises:
        PipelineError: the environment cannot be made, or the package failed.
    """
    python = environment(folder)
    with tempfile.TemporaryDirectory() as work:
        written = Path(work, "sentences.txt")
        with open(written, "w", encoding="utf-8") as file:
            for batch in texts:
                file.writelines(f"{text}\n" for text in keep_tokens(batch, tokens).to_pylist())
        request = settings.model_dump(exclude={"min_count"}) | {"sentences": str(written), "out": work}
        # isolated (-I): beside the worker lies this library's glove.py, which must not hide the package of that name
        command = [str(python), "-I", str(_WORKER), json.dumps(request)]
        _run(command, "training with glove-python-binary", f"remove {folder}, which will be made again")
        return PackageVectors(
            pa.array(json.loads(Path(work, "tokens.json").read_text(encoding="utf-8")), pa.string()),
            np.load(Path(work, "vectors.npy"), allow_pickle=False).astype(np.float32),
            np.load(Path(work, "biases.npy"), allow_pickle=False).astype(np.float32),
        )


def environment(folder: Path) -> Path:
    """Return the interpreter of the package's environment, which is made in ``folder`` first if it is missing.

    Raises:
        PipelineError: no Python 3.6-3.8 on this machine, or the package cannot be installed.
    """
    python = folder / "bin" / "python"
    if (folder / _READY).exists() and _starts(python):
        return python
    interpreter = find_interpreter()
    log.info("installing %s into %s with %s", PACKAGE, folder, interpreter)
    shutil.rmtree(folder, ignore_errors=True)
    _run([str(interpreter), "-I", "-m", "venv", str(folder)], f"making {folder}", "install Python 3.8 with venv")
    install = [str(python), "-I", "-m", "pip", "install", "--quiet", PACKAGE]
    _run(install, f"installing {PACKAGE}", "see that pip can reach a package index")
    (folder / _READY).write_text(PACKAGE + "\n", encoding="utf-8")
    return python


def find_interpreter() -> Path:
    """Find a Python 3.8, 3.7 or 3.6 that starts: on the PATH, or installed by pyenv.

    Raises:
        PipelineError: there is none.
    """
    candidates = [Path(found) for version in _VERSIONS if (found := shutil.which(f"python{version}"))]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for version in _VERSIONS:
        candidates += sorted(root.glob(f"{version}.*/bin/python"), reverse=True)
    for candidate in candidates:
        if _starts(candidate):
            return candidate
    raise PipelineError(
        "no Python 3.6, 3.7 or 3.8 on this machine",
        where="embeddings.source: package",
        expected="python3.8, python3.7 or python3.6 on the PATH or installed by pyenv; glove-python-binary has no "
        "build for later versions",
        remedy="run `pyenv install 3.8` (or `uv python install 3.8` and put it on the PATH), or set "
        "`embeddings.source: native`",
    )


def _starts(python: Path) -> bool:
    """Tell whether it runs and its version fits; pyenv puts shims on the PATH for versions that are not active."""
    try:
        command = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() in _VERSIONS


def _run(command: list[str], doing: str, remedy: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        last = (answer.stderr.strip() or answer.stdout.strip() or "no message").splitlines()[-1]
        raise PipelineError(
            f"{doing} failed: {last}",
            where=" ".join(command[:4]),
            expected="exit status 0",
            remedy=f"{remedy}, or set `embeddings.source: native`",
        )
