"""Compares every file of a run with the checksum kept beside it: ``python -m pipeline_lib verify results``.

Stages verify what they read. This finds what no stage reads again: a final table, or a file under an up-to-date run.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline_lib.files.checksums import CHANGED, checksum_file, intact, irreplaceable, what_changed
from pipeline_lib.stage.progress import ProgressBar


def run() -> None:
    """Print the path of each changed file; piped to ``xargs -r -d '\\n' rm``, they are cleared to be remade.

    A file that would not be, or whose checksum is what was damaged, goes to stderr with what to do about it.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a run, or a part of them")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"there is no folder {folder}; name the `results:` of a run, such as results")
    files = list(files_below(folder))
    written = [path for path in files if checksum_file(path).exists()]
    found = []
    with ProgressBar("verifying", sum(path.stat().st_size for path in written), "B") as bar:
        for path in written:
            if not intact(path):
                found.append(path)
                tell(path)
            bar.advance(path.stat().st_size)
    print(
        f"{len(written) - len(found):,} files are as they were written, {len(found):,} changed; "
        f"{len(files) - len(written):,} have no checksum (logs, timings, what others put there)",
        file=sys.stderr,
    )
    if found:
        print("Delete those named by their paths alone and run the workflow again; they are remade.", file=sys.stderr)
        sys.exit(1)


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
    """List files below ``folder`` but for checksums, in order of their paths."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if not re.fullmatch(r"\..*\.sha256", name))


if __name__ == "__main__":
    run()
