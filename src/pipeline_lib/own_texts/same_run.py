"""Files beside a model in its results folder: those that it was made from, or those of another run."""

from pathlib import Path

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import kept, sha256
from pipeline_lib.files.provenance import name_below, record_of


def refuse_of_another_run(model: Path, file: Path) -> None:
    """Compare a file with the one of its name that a model was made from.

    The records of the model, of what it read, and of what that was made from say which bytes those were. What they do
    not name, or what has no record, is taken as it is: it was put there by hand.

    Raises:
        PipelineError: it has other bytes, or one between it and the model has.
    """
    if file.exists():
        _refuse(model, model.absolute().parents[4], file, model)


def _refuse(model: Path, results: Path, file: Path, reader: Path) -> None:
    record = record_of(reader)
    read = record.read if record else {}
    if digest := read.get(name_below(results, file)):
        _compare(model, file, digest)
        return
    for name, digest in read.items():
        between = results / name
        if kept(between) and _leads_to(results, file, between):
            _compare(model, between, digest)
            _refuse(model, results, file, between)


def _leads_to(results: Path, file: Path, reader: Path) -> bool:
    """Check whether a file was made from another, by the names in records."""
    record = record_of(reader)
    read = record.read if record else {}
    return name_below(results, file) in read or any(_leads_to(results, file, results / name) for name in read)


def _compare(model: Path, file: Path, digest: str) -> None:
    beside = kept(file)
    if (beside.sha256 if beside else sha256(file)) != digest:
        raise PipelineError(
            f"not what {model.name} was made from, but of another run",
            where=f"{file}, beside {model}",
            expected=f"a file with the SHA-256 {digest}",
            remedy="run the command that trained the model again, or copy the whole results folder of its run",
        )
