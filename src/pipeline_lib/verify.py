"""Compares every file of a run with the checksum kept beside it: ``python -m pipeline_lib.verify results``.

Stages verify what they read. This finds what no stage reads again: a final table, or a file under an up-to-date run.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline_lib.progress import Progress
from pipeline_lib.storage import checksum_file, intact


def main() -> None:
    """Print the path of each changed file; piped to ``xargs -d '\\n' rm``, they are cleared to be remade."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a run, or a part of them")
    files = list(written_files(parser.parse_args().folder))
    changed = 0
    with Progress("verifying", sum(path.stat().st_size for path in files), "B") as bar:
        for path in files:
            if not intact(path):
                changed += 1
                print(path, flush=True)
            bar.advance(path.stat().st_size)
    print(f"{len(files) - changed:,} files are as they were written, {changed:,} changed", file=sys.stderr)
    if changed:
        print("Delete those named above and run the workflow again; they will be remade.", file=sys.stderr)
        sys.exit(1)


def written_files(folder: Path) -> Iterator[Path]:
    """Files below ``folder`` that have a checksum, in order of their paths."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (path for path in (Path(place, name) for name in sorted(names)) if checksum_file(path).exists())


if __name__ == "__main__":
    main()
