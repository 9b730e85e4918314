"""Fuzzes every reader of foreign input: `python tests/fuzz/run.py --cases 30000 --seed 1`.

Each reader has a process of its own with a bound on its memory, so that a crash or a memory fault counts as a finding
and the others go on. Prints one line for each reader, and what Hypothesis shrank a finding to.
"""

import argparse
import faulthandler
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fuzz_corpora
import fuzz_ratings
import fuzz_settings
import fuzz_stored
import fuzz_tables
import fuzz_vectors
from fuzz_promise import Reader
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded

READERS = {
    reader.name: reader
    for module in (fuzz_corpora, fuzz_tables, fuzz_vectors, fuzz_settings, fuzz_ratings, fuzz_stored)
    for reader in module.READERS
}
MEBIBYTES = 1_500  # of address space beyond what the process has when it starts


def fuzz(reader: Reader, cases: int, seed: int, seconds: float) -> dict[str, float]:
    """Check ``cases`` cases, or as many as fit into ``seconds``; raises what the first finding raises."""
    counts = {"cases": 0.0, "accepted": 0.0, "slowest": 0.0}
    end = time.monotonic() + seconds

    @seeded(seed)
    @settings(
        max_examples=cases, database=None, deadline=None, derandomize=False, suppress_health_check=list(HealthCheck)
    )
    @given(reader.cases)
    def check(case: object) -> None:
        start = time.process_time()
        if time.monotonic() > end:
            return
        faulthandler.dump_traceback_later(60, exit=True)  # a loop in C hears no signal, a wait uses no time
        with tempfile.TemporaryDirectory() as folder:
            inner = Path(folder, "case")
            inner.mkdir()
            counts["accepted"] += reader.check(inner, case)
        faulthandler.cancel_dump_traceback_later()
        counts["cases"] += 1
        counts["slowest"] = max(counts["slowest"], time.process_time() - start)

    check()
    return counts


def _alone(name: str, cases: int, seed: int, seconds: float) -> None:
    import torch  # noqa: F401  # its libraries are mapped before the bound is set

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    bound = mapped + (MEBIBYTES << 20)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = fuzz(READERS[name], cases, seed, seconds)
    print(json.dumps(counts | {"MiB": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=30_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="for each reader; then it stops, whatever its cases"
    )
    parser.add_argument("--only", choices=list(READERS), nargs="+", help="some readers")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        _alone(asked.only[0], asked.cases, asked.seed, 60 * asked.minutes)
        return
    names = asked.only or list(READERS)
    share = -(-asked.cases // len(names))
    print(f"| {'reader':<24} |  cases | accepted | refused | slowest | memory |    time | findings |")
    print(f"|{'-' * 26}|-------:|---------:|--------:|--------:|-------:|--------:|---------:|")
    total = findings = 0
    for name in names:
        start = time.monotonic()
        command = [sys.executable, __file__, "--only", name, "--cases", str(share), "--seed", str(asked.seed)]
        command += ["--minutes", str(asked.minutes), "--alone"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60 * (2 * asked.minutes + 2))
            fault = done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired:
            fault = f"no end after {2 * asked.minutes + 2} minutes"
        seconds = time.monotonic() - start
        if fault:
            findings += 1
            print(f"| {name:<24} |{'':>7} |{'':>9} |{'':>8} |{'':>8} |{'':>7} | {seconds:5.0f} s | {1:>8} |")
            print(fault[-6_000:], file=sys.stderr)
            continue
        n = json.loads(done.stdout.splitlines()[-1])
        total += int(n["cases"])
        refused = n["cases"] - n["accepted"]
        cells = f"{n['cases']:>6.0f} | {n['accepted']:>8.0f} | {refused:>7.0f} | {1000 * n['slowest']:>4.0f} ms"
        print(f"| {name:<24} | {cells} | {n['MiB']:>2.0f} MiB | {seconds:5.0f} s | {0:>8} |", flush=True)
    print(f"\n{total:,} cases without a finding, {findings} readers with one")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
