"""The check of every file of a run against the records beside it: ``python -m pipeline_lib verify results``.

Stages verify what they read. This finds what no stage reads again: a final table, or a file under an up-to-date run.
From each file it follows the chain of what that was made from, up to the raw files.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import CHANGED, checksum_file, intact, irreplaceable, what_changed
from pipeline_lib.files.provenance import PLANS
from pipeline_lib.files.store import STORE
from pipeline_lib.runs.chain import Chain, results_of
from pipeline_lib.stage.cli import report
from pipeline_lib.stage.progress import ProgressBar


def run() -> None:
    """Print the path of each file that changed or does not fit what it was made from.

    Piped to ``xargs -r -d '\\n' rm``, they are cleared to be remade. Why, and what would not be remade or has a
    damaged checksum, goes to stderr.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a run, or a part of them")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"there is no folder {folder}; name the `results:` of a run, such as results")
    report(lambda: _verify(folder))


def _verify(folder: Path) -> None:
    files = list(files_below(folder))
    written = [path for path in files if checksum_file(path).exists()]
    changed = list(_changed(written))
    unfit = [path for path in _unfit(folder, written) if path not in changed]
    gone = [path for path in _checksums_alone(folder) if path not in changed]
    print(
        f"{len(written) - len(changed) - len(unfit):,} files are as they were written, {len(changed):,} changed; "
        + (f"{len(unfit):,} were made from something else; " if unfit else "")
        + (f"{len(gone):,} are gone; " if gone else "")
        + f"{len(files) - len(written):,} have no checksum (logs, timings, what others put there)",
        file=sys.stderr,
    )
    if changed or unfit:
        print("Delete those named by their paths alone and run the workflow again; they are remade.", file=sys.stderr)
        sys.exit(1)


def _changed(written: list[Path]) -> Iterator[Path]:
    with ProgressBar("verifying", sum(path.stat().st_size for path in written), "B") as bar:
        for path in written:
            if not intact(path):
                tell(path)
                yield path
            bar.advance(path.stat().st_size)


def _unfit(folder: Path, written: list[Path]) -> Iterator[Path]:
    """Name files below ``folder``, and those they were made from, that do not fit what they were made from."""
    for results, files in _by_run(written).items():
        chain = Chain(results)
        for name in chain.upstream([chain.name_of(path) for path in files]):
            if problems := list(chain.problems(name)):
                path = folder / os.path.relpath(chain.results / name, folder)
                for problem in problems:
                    print(f"{path} {problem}", file=sys.stderr)
                print(path, flush=True)
                yield path


def _by_run(written: Sequence[Path]) -> dict[Path, list[Path]]:
    """Group files by their results folder, since one may be in another; files without plans are left out."""
    runs: dict[Path, list[Path]] = {}
    run_of = cache(results_of)
    for path in written:
        with suppress(PipelineError):  # of an earlier release
            runs.setdefault(run_of(path.parent), []).append(path)
    return runs


def _checksums_alone(folder: Path) -> Iterator[Path]:
    """Name files that are gone though their checksums are not."""
    for path in sorted(folder.rglob(".*.sha256")):
        file = path.with_name(path.name[1:].removesuffix(".sha256"))
        if not file.exists():
            print(f"{file}: gone; it is remade when a target needs it, or delete {path.name} too", file=sys.stderr)
            yield file


def tell(path: Path) -> None:
    """Name a changed file: on stdout, by its path alone, where deleting it is all that there is to do."""
    problem, remedy = what_changed(path), irreplaceable(path)
    if problem == CHANGED and not remedy:
        print(path, flush=True)
        return
    if problem != CHANGED:
        remedy = f"delete the checksum to trust the file; otherwise {remedy or 'delete the file, and it is remade'}"
    print(f"{path}: {problem}; {remedy}", file=sys.stderr)


def files_below(folder: Path) -> Iterator[Path]:
    """List files below ``folder`` but for checksums, plans and the store, in order of their paths."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (PLANS, STORE))
        yield from (Path(place, name) for name in sorted(names) if not re.fullmatch(r"\..*\.sha256", name))
