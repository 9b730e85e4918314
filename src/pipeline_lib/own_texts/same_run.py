"""Files beside a model in its results folder: those that it was made from, or those of another run."""

from collections import deque
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
    if not file.exists():
        return
    for path, digest in _way(model, file):
        beside = kept(path)
        if (beside.sha256 if beside else sha256(path)) != digest:
            raise PipelineError(
                f"not what {model.name} was made from, but of another run",
                where=f"{path}, beside {model}",
                expected=f"a file with the SHA-256 {digest}",
                remedy="run the command that trained the model again, or copy the whole results folder of its run",
            )


def _way(model: Path, file: Path) -> list[tuple[Path, str]]:
    """Find the shortest way from a model to what it was made from: each file on it, with the SHA-256 of what was read.

    Returns:
        An empty list if no record on the way names the file.
    """
    results = model.absolute().parents[4]
    wanted = name_below(results, file)
    ways: deque[tuple[Path, list[tuple[Path, str]]]] = deque([(model, [])])
    seen = set[str]()
    while ways:
        reader, way = ways.popleft()
        record = record_of(reader)
        for name, digest in (record.read if record else {}).items():
            if name not in seen:
                seen.add(name)
                longer = [*way, (results / name, digest)]
                if name == wanted:
                    return longer
                ways.append((results / name, longer))
    return []
