"""Lists what a results folder has in store, and prunes it: ``python -m pipeline_lib store results``.

Finished models, and whatever else took more than a minute, stay there when a setting changes; changed back, they are
taken from it. `store:` of the configuration is its limit, and what was not used for longest goes first.
"""

import argparse
from datetime import datetime
from pathlib import Path

from pipeline_lib.files.store import Entry, entries, prune


def run() -> None:
    """Print what is there, or what was removed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a run")
    parser.add_argument("--prune", type=float, metavar="GB", help="remove what is beyond so much; 0: everything")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"there is no folder {arguments.folder}; name the `results:` of a run, such as results")
    before = entries(arguments.folder)
    freed = sum(entry.alone for entry in before)
    if arguments.prune is None:
        print("\n".join(_line(entry) for entry in before) or "Nothing is in store.")
        held = sum(entry.size for entry in before)
        print(f"{len(before):,} entries of {held / 1e6:,.1f} MB; {freed / 1e6:,.1f} MB of them are in no other place.")
        return
    removed = prune(arguments.folder, round(arguments.prune * 1e9))
    print("\n".join(_line(entry) for entry in removed))
    freed -= sum(entry.alone for entry in entries(arguments.folder))
    print(f"{len(removed):,} of {len(before):,} entries removed; {freed / 1e6:,.1f} MB are free again.")


def _line(entry: Entry) -> str:
    used = datetime.fromtimestamp(entry.used).isoformat(sep=" ", timespec="minutes")
    of = " ".join(entry.of.values())
    return f"{used}  {entry.size / 1e6:9,.1f} MB  took {entry.seconds:7,.0f} s  {entry.stage} {of}"
