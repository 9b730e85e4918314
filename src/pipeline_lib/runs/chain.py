"""The chain behind a file, followed by the records kept beside the files: no Snakemake, no configuration."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import kept
from pipeline_lib.files.outside import OutsideFiles
from pipeline_lib.files.provenance import PLANS, Job, Record, name_below, record_of


def results_of(path: Path) -> Path:
    """Return the results folder that a file or folder is in: the nearest one above it with plans.

    Raises:
        PipelineError: there is none.
    """
    path = path.absolute()
    for folder in (path, *path.parents):
        if (folder / PLANS).is_dir():
            return folder
    raise PipelineError(
        "not in the results of a run",
        where=path,
        expected=f"a file below a folder with {PLANS}/, where a run keeps its plans",
        remedy="name a file below the `results:` of a run, such as results/tables/table2.csv",
    )


class Chain:
    """The files of a results folder by name, each with its record.

    Args:
        results: the folder.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.outside = OutsideFiles(results / PLANS, kept=False)
        self.record = lru_cache(maxsize=None)(self._record)

    def _record(self, name: str) -> Record | None:
        return record_of(self.results / name)

    def name_of(self, path: Path) -> str:
        """Return the name of a file in records."""
        return name_below(self.results, path)

    def sha256(self, name: str) -> str | None:
        """Return the checksum kept beside a file; None if there is no such file, or none is kept."""
        beside = kept(self.results / name)
        return beside.sha256 if beside and (self.results / name).is_file() else None

    def made_from(self, name: str) -> list[str]:
        """List the files that a file was made from: the inputs of its job, and what else the job read."""
        record = self.record(name)
        return list(dict.fromkeys([*record.plan.inputs, *record.read])) if record else []

    def upstream(self, names: Sequence[str]) -> list[str]:
        """List files and all that they were made from, each once, every file after what it was made from."""
        found: dict[str, None] = {}
        pending = [(name, iter(self.made_from(name))) for name in names[::-1]]
        on_the_way = set(names)
        while pending:
            name, inputs = pending[-1]
            following = next((file for file in inputs if file not in found and file not in on_the_way), None)
            if following is None:
                found[name] = None
                pending.pop()
            else:
                on_the_way.add(following)
                pending.append((following, iter(self.made_from(following))))
        return list(found)

    def problems(self, name: str) -> Iterator[str]:
        """Say where a file does not fit what lies in the folder now: its own name, and each file it was made from.

        A file that is gone, of which the record remains, fits everything.
        """
        record = self.record(name)
        if record is None or not (self.results / name).is_file():
            return
        if record.file != name:
            yield f"was written as {record.file}"
        for file in self.made_from(name):
            if (digest := self.sha256(file)) is None:
                continue  # it is gone, or was put there by hand
            if digest != record.read.get(file, digest):
                yield f"was made from another version of {file}"
            elif (made := self.record(file)) and made.plan.digest != record.plan.inputs.get(file, made.plan.digest):
                yield f"was made from a {file} of other settings or code"
        with suppress(PipelineError):  # of a file made without a plan that is still there
            outside = Job.load(self.results / PLANS / f"{record.plan.digest}.json").outside
            for path in self.outside.replaced(self.results / name, outside):
                yield f"was made from another version of {path}"
