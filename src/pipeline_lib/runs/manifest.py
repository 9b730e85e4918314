"""The record of a run: its configuration, its code, the machine it ran on and its data, by checksum."""

import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from pipeline_lib.config.run import Config
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import read_json
from pipeline_lib.files.provenance import installed, versions_of

# beside those that compute what is in a file; requirements.lock has the rest
_PACKAGES = ("matplotlib", "pipeline-lib", "pydantic", "safetensors", "snakemake")


class Manifest(TypedDict):
    """The content of ``manifest.json``."""

    created: str  # UTC, ISO 8601, to the second
    config: dict[str, object]  # with the defaults filled in; without mirrors, which are folders of one machine
    seeds: list[int]
    revision: str | None  # commit of the workflow; None where it lies in no git repository
    modified: bool  # whether files under version control differ from that commit
    code: dict[str, str]  # stage, followed by the system or the corpus where that matters -> `stage_fingerprint`
    python: str
    platform: str
    packages: dict[str, str]  # those that are installed
    data: dict[str, dict[str, str]]  # corpus -> path below the results folder -> SHA-256


def describe(config: Config, code: dict[str, str], raw: Sequence[Path], examples: Sequence[Path]) -> Manifest:
    """Make the record of a run.

    Args:
        raw: ``raw/<corpus>/manifest.json`` of each corpus that was fetched.
        examples: ``filtered/<corpus>/<split>.parquet`` of every corpus.
    Raises:
        PipelineError: a raw manifest is not JSON.
    """
    data: dict[str, dict[str, str]] = {}
    for path in raw:
        files = data.setdefault(path.parent.name, {})
        files |= {f"raw/{path.parent.name}/{file['name']}": file["sha256"] for file in read_json(path)}
    for path in examples:
        corpus = path.parent.name
        data.setdefault(corpus, {})[f"filtered/{corpus}/{path.name}"] = sha256(path)
    revision, modified = _revision(Path(__file__).parent)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config.model_dump(mode="json", by_alias=True),
        "seeds": config.seeds,
        "revision": revision,
        "modified": modified,
        "code": code,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name, found in installed().items() if name != "python"} | versions_of(_PACKAGES),
        "data": data,
    }


def _revision(folder: Path) -> tuple[str | None, bool]:
    """Find the commit that ``folder`` is checked out at, and whether anything in it was changed since."""
    commit = _git(folder, "rev-parse", "HEAD")
    return commit, bool(commit and _git(folder, "status", "--porcelain", "--untracked-files=no"))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        # without its optional locks, git leaves the index of a repository that someone may be working in alone
        command = ["git", "--no-optional-locks", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
