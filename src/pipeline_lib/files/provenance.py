"""Provenance: what every file was made from, kept with its checksum, and what the job that reads it expects.

Before a job starts, the workflow plans it (workflow/rules/provenance.smk): its stage, its wildcards, its settings, its
code, and the plan of the job behind each of its inputs. The digest of a plan thus covers the whole chain up to the raw
files. Plans are kept as ``<results>/.plans/<digest>.json``; a job finds its own by the environment variable
``PIPELINE_PLAN``. Without one (a function called in a test, a script started by hand) files are written with a checksum
alone.

What a plan cannot know is the content of files. So a file's record adds the checksums of what the job read.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.changes import ABSENT, changes
from pipeline_lib.files.checksums import checksum_file, is_local_copy, keeping, kept, refuse_changed, sha256
from pipeline_lib.files.disk import unwritable
from pipeline_lib.files.notes import write_note

PLAN = "PIPELINE_PLAN"
PLANS = ".plans"  # folder in a results folder
OUTSIDE = ""  # in place of a digest: a file that no stage makes
AGAIN = "run the same command again: what does not fit the settings is made anew"
# packages that compute what is in a file, by the module that shows that a job uses them
_PACKAGES = {
    "duckdb": "duckdb",
    "krippendorff": "krippendorff",
    "numpy": "numpy",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "summa": "summa",
    "tokenizers": "tokenizers",
    "torch": "torch",
    "transformers": "transformers",
}


@dataclass(frozen=True)
class Plan:
    """What the output of a job depends on, known before anything runs.

    Attributes:
        stage: name of the script.
        of: wildcards, such as corpus, system, seed and split.
        settings: parameters of the rule.
        code: fingerprint of the stage's code (`stage.fingerprint`).
        inputs: the plan's digest of each input by its name, which is its path below the results folder; `OUTSIDE` for
            a file that no stage makes, whose name is ``@`` and the end of its path, so that moving it changes no plan.
    """

    stage: str
    of: Mapping[str, str]
    settings: Mapping[str, Any]
    code: str
    inputs: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """Name of the plan: 32 hex digits over all that it says."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Record:
    """What a file was made from.

    Attributes:
        file: its name when it was written.
        read: SHA-256 of every file that the job read, by name.
        versions: of Python and of the packages that computed it.
        restored: whether it came out of the store instead of being computed again.
    """

    file: str
    plan: Plan
    read: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    restored: bool = False

    def text(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def record_of(path: Path) -> Record | None:
    """Read the record of a file; None if it has none (it was put there by hand, or its checksum is damaged)."""
    beside = kept(path)
    if not beside or not beside.record:
        return None
    try:
        values = json.loads(beside.record)
        return Record(**values | {"plan": Plan(**values["plan"])})
    except (ValueError, KeyError, TypeError):  # of another release
        return None


def verify(path: Path) -> None:
    """Compare a file that is about to be read with its checksum, and its record with what the job's plan expects.

    Raises:
        PipelineError: the file or its checksum changed, or it was made from something else than planned.
    """
    digest = refuse_changed(path)
    if digest and (job := current_job()):
        job.check(path)
        job.note(path, digest)


# --- the job that this process is ----------------------------------------------------------------------------------


@dataclass
class Job:
    """The planned job that this process runs.

    Attributes:
        results: the results folder.
        outputs: names of the files that it will write.
        outside: path of each input that no stage makes, by its name.
        read: SHA-256 of what it has read, by name.
    """

    plan: Plan
    results: Path
    outputs: list[str]
    outside: dict[str, str] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> "Job":
        """Read the plan of a job.

        Raises:
            PipelineError: it is not there, or is not a plan.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            outputs, outside = values.pop("outputs"), values.pop("outside")
            return cls(Plan(**values), path.parent.parent, outputs, outside)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"the plan of this job is not readable: {error}", where=path, remedy=AGAIN) from error

    def name_of(self, path: Path) -> str:
        """Return the name of a file in plans and records."""
        names = {place: name for name, place in self.outside.items()}
        return names.get(str(path)) or name_below(self.results, path)

    def path_of(self, name: str) -> Path:
        """Return where the file of a name is: the inverse of `name_of`."""
        return Path(self.outside[name]) if name in self.outside else self.results / name

    def check_inputs(self) -> None:
        """Check the record of every input before any work is done.

        Raises:
            PipelineError: one was made from something else than planned.
        """
        for name in self.plan.inputs:
            self.check(self.path_of(name))

    def check(self, path: Path) -> None:
        """Compare the record of a file with the plan of the job that should have made it.

        A file without a checksum was put there by hand and is taken as it is.

        Raises:
            PipelineError: it was made from something else than planned.
        """
        expected = self.plan.inputs.get(self.name_of(path), OUTSIDE)
        if expected == OUTSIDE or is_local_copy(path) or not checksum_file(path).exists():
            return
        found = record_of(path)
        if found and found.plan.digest == expected:
            return
        raise PipelineError(
            "made from something else than this run expects"
            + (f": {self._difference(path, expected, found)}" if found else "; nothing is known of its making"),
            where=path,
            expected=f"a file of the plan {expected}",
            remedy=AGAIN,
        )

    def _difference(self, path: Path, expected: str, found: Record) -> str:
        name = self.name_of(path)
        if found.file != name:
            return f"it was written as {found.file}"
        plans = self.results / PLANS
        if not (planned := load_plan(plans, expected)):
            return f"it is of the plan {found.plan.digest}"
        return next(differences(plans, planned, found.plan, name), "its settings are in another form")

    def note(self, path: Path, digest: str) -> None:
        """Note the checksum of a file that is read; files of the workflow's own, such as checkpoints, are not noted."""
        name = self.name_of(path)
        if not name.startswith("."):
            self.read[name] = digest

    def record(self, path: Path) -> str:
        """Return the record of a file that is being written, with what has been read so far."""
        self.written.append(path)
        return self._record(path).text()

    def _record(self, path: Path) -> Record:
        return Record(self.name_of(path), self.plan, dict(self.read), versions())

    def finish(self) -> None:
        """Complete the records of all files that were written with all that was read."""
        self.read |= self.inputs_now()
        for path in dict.fromkeys(self.written):
            if beside := kept(path):
                rewrite(path, beside.sha256, self._record(path))

    def inputs_now(self) -> dict[str, str]:
        """Return the SHA-256 of each input: as read, or else as kept beside it, or else of its bytes."""
        digests = {}
        for name in self.plan.inputs:
            path = self.path_of(name)
            if name in self.read:
                digests[name] = self.read[name]
            elif beside := kept(path):
                digests[name] = beside.sha256
            elif path.is_file():
                digests[name] = sha256(path)
        return digests


@cache
def current_job() -> Job | None:
    """Return the job that this process runs; None if it was not started by the workflow."""
    path = os.environ.get(PLAN)
    return Job.load(Path(path)) if path else None


def name_below(results: Path, path: Path) -> str:
    """Return ``path`` below the folder ``results``, or as it is if it is elsewhere."""
    path = Path(os.path.abspath(path))
    root = Path(os.path.abspath(results))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def rewrite(path: Path, digest: str, record: Record) -> None:
    """Replace what is kept beside ``path``, in one step."""
    beside = checksum_file(path)
    fresh = beside.with_name(beside.name + ".tmp")
    fresh.write_bytes(keeping(path, digest, record.text()))
    os.replace(fresh, beside)


def versions() -> dict[str, str]:
    """Return the versions of Python and of those packages with an influence on results that are in use."""
    unused = {package for module, package in _PACKAGES.items() if module not in sys.modules}
    return {package: found for package, found in installed().items() if package not in unused}


@cache
def installed() -> dict[str, str]:
    """Return the versions of Python and of all packages with an influence on results."""
    return {"python": platform.python_version()} | versions_of(_PACKAGES.values())


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


# --- plans ---------------------------------------------------------------------------------------------------------


def save_plan(plans: Path, plan: Plan, outputs: list[str], outside: dict[str, str]) -> Path:
    """Keep a plan, with what else a `Job` has, for the job and for those who ask later; gives its path.

    Raises:
        PipelineError: the disk is full, or the results folder cannot be written.
    """
    path = plans / f"{plan.digest}.json"
    text = json.dumps(asdict(plan) | {"outputs": outputs, "outside": outside})
    try:
        if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != text:
            write_note(path, text)
    except OSError as error:
        raise unwritable(plans.parent, error) from error
    return path


def load_plan(plans: Path, digest: str) -> Plan | None:
    """Read a plan that was kept; None if it is not there, or is damaged."""
    try:
        plan = Job.load(plans / f"{digest}.json").plan
    except PipelineError:
        return None
    return plan if plan.digest == digest else None


def differences(plans: Path, first: Plan, second: Plan, name: str) -> Iterator[str]:
    """Say where two plans of the file ``name`` differ, nearest to the raw files first.

    Args:
        first: what is expected.
        second: what was found.
    """
    for file in dict.fromkeys([*first.inputs, *second.inputs]):
        pair = [plan.inputs.get(file) for plan in (first, second)]
        if pair[0] == pair[1]:
            continue
        upstream = [load_plan(plans, digest) if digest else None for digest in pair]
        if upstream[0] and upstream[1]:
            yield from differences(plans, upstream[0], upstream[1], file)
        else:
            yield f"{name} is {'made without' if pair[0] is None else 'to be made from another'} {file}"
    for changed in changes(dict(first.settings), dict(second.settings)):
        key, here, there = changed.key.removeprefix("settings."), _shown(changed.first), _shown(changed.second)
        yield f"{key} of {first.stage} is {here} in this run, {there} in {name}"
    if first.code != second.code:
        yield f"the code of {first.stage} changed since {name} was made"


def _shown(value: Any) -> str:
    text = "not set" if value is ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]} …"
