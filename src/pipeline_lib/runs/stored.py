"""The store of a results folder, listed and pruned: ``python -m pipeline_lib store results``.

Finished models, and whatever else took more than a minute, stay there when a setting changes; changed back, they are
taken from it. `store:` of the configuration is its limit, and what was not used for longest goes first.
"""

import argparse
import math
from datetime import datetime
from pathlib import Path

from pipeline_lib.files.store import Entry, entries, prune
from pipeline_lib.stage.cli import report


def run() -> None:
    """Print what is there, or what was removed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a run")
    parser.add_argument("--prune", type=_gigabytes, metavar="GB", help="remove what is beyond so much; 0: everything")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"there is no folder {arguments.folder}; name the `results:` of a run, such as results")
    report(lambda: _list(arguments.folder) if arguments.prune is None else _prune(arguments.folder, arguments.prune))


def _gigabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return number


def _list(folder: Path) -> None:
    found = entries(folder)
    print("\n".join(map(_line, found)) or "Nothing is in store.")
    held, alone = sum(entry.size for entry in found), sum(entry.alone for entry in found)
    print(f"{len(found):,} entries of {held / 1e6:,.1f} MB; {alone / 1e6:,.1f} MB of them are in no other place.")


def _prune(folder: Path, limit: float) -> None:
    """Remove what is beyond so many GB, and print it."""
    before = entries(folder)
    lines = {entry.folder: _line(entry) for entry in before}  # of one that is removed no size can be told
    alone = sum(entry.alone for entry in before)
    removed = prune(folder, round(limit * 1e9))
    print("\n".join(lines[entry.folder] for entry in removed if entry.folder in lines))
    freed = alone - sum(entry.alone for entry in entries(folder))
    print(f"{len(removed):,} of {len(before):,} entries removed; {freed / 1e6:,.1f} MB are free again.")


def _line(entry: Entry) -> str:
    used = datetime.fromtimestamp(entry.used).isoformat(sep=" ", timespec="minutes")
    of = " ".join(entry.of.values())
    return f"{used}  {entry.size / 1e6:9,.1f} MB  took {entry.seconds:7,.0f} s  {entry.stage} {of}"
