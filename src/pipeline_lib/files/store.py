"""A store of finished outputs that took long, so that a setting that is changed and changed back trains nothing.

Snakemake deletes an output when a setting changes. So a training job, and any job of more than a minute, links its
outputs into ``<results>/.store`` as well; links take no room as long as the results have the files themselves. An entry
is named after all that the outputs depend on: settings, code, versions of packages, and the content of every input. A
job that finds its own there links the files back instead of computing them.

Snakemake's cache between workflows does not serve here: it has no bound and no list, leaves links out of the results
folder, and does not know the checksums beside the files.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline_lib.files.checksums import checksum_file, is_local_copy, kept, sha256
from pipeline_lib.files.provenance import Job, Record, installed, rewrite, versions

STORE = ".store"  # folder in a results folder
LIMIT = "PIPELINE_STORE"  # environment: gigabytes that the store may hold; 0 or none: nothing is kept
LONG = 60.0  # seconds of a job worth keeping
_ALWAYS = ("train_model",)
_CONTENT = "content.json"


@dataclass(frozen=True)
class Entry:
    """Finished outputs of one job.

    Attributes:
        files: SHA-256 of each output by its name.
        used: when it was kept or last restored, seconds since the epoch.
    """

    folder: Path
    stage: str
    of: dict[str, str]
    seconds: float
    files: dict[str, str]
    used: float

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.stat().st_size for file in self._files())

    @property
    def alone(self) -> int:
        """Bytes of those files that are in the store alone: what removing it would free."""
        return sum(file.stat().st_size for file in self._files() if file.stat().st_nlink == 1)

    def _files(self) -> Iterator[Path]:
        return (path for path in self.folder.iterdir() if path.name != _CONTENT)


def limit() -> int:
    """Return the bytes that the store may hold."""
    return round(float(os.environ.get(LIMIT) or 0) * 1e9)


def key_of(job: Job) -> str:
    """Return the name of a job's entry, of the content of its inputs as it was read or is now."""
    parts = {
        **{name: asdict(job.plan)[name] for name in ("stage", "of", "settings", "code")},
        "inputs": job.inputs_now(),
        "versions": installed(),  # not those in use: a launcher asks before anything is imported
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def keep(job: Job, seconds: float) -> None:
    """Link the outputs of a finished job into the store, if it took long enough, and prune it to its limit."""
    paths = [job.results / name for name in job.outputs]
    if not limit() or (seconds < LONG and job.plan.stage not in _ALWAYS) or any(map(is_local_copy, paths)):
        return
    digests = [kept(path) for path in paths]
    target = job.results / STORE / key_of(job)
    if not all(digests) or target.exists():
        return
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(paths):
            _link(path, fresh / str(number))
        files = {name: digest.sha256 for name, digest in zip(job.outputs, digests, strict=True) if digest}
        content = {"stage": job.plan.stage, "of": dict(job.plan.of), "seconds": round(seconds, 1), "files": files}
        (fresh / _CONTENT).write_text(json.dumps(content), encoding="utf-8")
        os.replace(fresh, target)
    except OSError:  # a full disk: the results themselves are there
        shutil.rmtree(fresh, ignore_errors=True)
        return
    prune(job.results, limit())


def restored(job: Job) -> bool:
    """Link the outputs of a job back from the store, if they are there and as they were; gives whether.

    Each gets a record of its own: of this job's plan, and that it was restored.
    """
    if not limit():
        return False
    folder = job.results / STORE / key_of(job)
    entry = _entry(folder)
    if entry is None or list(entry.files) != job.outputs:
        shutil.rmtree(folder, ignore_errors=True)  # damaged or absent
        return False
    stored = {folder / str(number): digest for number, digest in enumerate(entry.files.values())}
    if any(not file.is_file() or sha256(file) != digest for file, digest in stored.items()):
        shutil.rmtree(folder, ignore_errors=True)  # somebody edited a file in place, or the disk is failing
        return False
    read, used = job.inputs_now(), versions()
    for (file, digest), name in zip(stored.items(), job.outputs, strict=True):
        path = job.results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.restored.tmp")
        fresh.unlink(missing_ok=True)
        _link(file, fresh)
        os.utime(fresh)  # Snakemake compares times
        checksum_file(path).unlink(missing_ok=True)
        os.replace(fresh, path)
        rewrite(path, digest, Record(name, job.plan, read, used, restored=True))
    os.utime(folder)
    return True


def entries(results: Path) -> list[Entry]:
    """List what a results folder has in store, what was used last first."""
    found = [entry for path in (results / STORE).glob("*") if (entry := _entry(path))]
    return sorted(found, key=lambda entry: entry.used, reverse=True)


def prune(results: Path, most: int) -> list[Entry]:
    """Remove what was not used for longest until the store holds ``most`` bytes; gives what was removed."""
    removed, held = [], 0
    for entry in entries(results):
        with suppress(FileNotFoundError):  # another job prunes too
            held += entry.size
            if held > most:
                shutil.rmtree(entry.folder, ignore_errors=True)
                removed.append(entry)
    return removed


def _entry(folder: Path) -> Entry | None:
    try:
        content = json.loads((folder / _CONTENT).read_text(encoding="utf-8"))
        return Entry(folder=folder, used=folder.stat().st_mtime, **content)
    except (OSError, ValueError, TypeError):
        return None


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.copyfile(path, target)
