"""A stand-in for OpenPBS: qsub, qstat and qdel, by the name it is called under. Jobs run at once, on this machine.

It keeps to what the real ones print and refuses requests that they would refuse. Its folder is $FAKE_PBS.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_PBS"])
_SELECT = re.compile(r"select=1:ncpus=[1-9]\d*:mem=[1-9]\d*mb(:ngpus=[1-9]\d*)?")
_WALLTIME = re.compile(r"walltime=\d+:[0-5]?\d:[0-5]?\d")


def qsub() -> None:
    parser = argparse.ArgumentParser()
    for option in ("-N", "-j", "-o"):
        parser.add_argument(option, required=True)
    parser.add_argument("-l", action="append", required=True)
    parser.add_argument("script", type=Path)
    asked = parser.parse_args()
    select, walltime = asked.l
    if not (_SELECT.fullmatch(select) and _WALLTIME.fullmatch(walltime) and len(asked.N) <= 15):
        sys.exit(f"qsub: Illegal attribute or resource value: {asked}")
    number = 1 + len(list(FOLDER.glob("*.request")))
    (FOLDER / f"{number}.request").write_text(f"{asked.N} {select} {walltime}\n")
    mine = FOLDER / str(number)
    command = f"echo $$ > {mine}.pid; {asked.script} > {asked.o}/{number}.log 2>&1; echo $? > {mine}.status"
    subprocess.Popen(["sh", "-c", command], start_new_session=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    print(f"{number}.fake")


def qstat() -> None:
    *options, job = sys.argv[1:]
    number = job.removesuffix(".fake")
    if options != ["-x", "-f"] or not (FOLDER / f"{number}.request").exists():
        sys.exit(f"qstat: Unknown Job Id {job}")
    status = FOLDER / f"{number}.status"
    state = f"F\n    Exit_status = {status.read_text().strip()}" if status.exists() else "R"
    print(f"Job Id: {job}\n    Job_Name = any\n    job_state = {state}\n    queue = workq\n")


def qdel() -> None:
    for job in sys.argv[1:]:
        number = job.removesuffix(".fake")
        os.killpg(int((FOLDER / f"{number}.pid").read_text()), signal.SIGTERM)
        (FOLDER / f"{number}.status").write_text("271\n")  # 256 + SIGTERM, as PBS has it


if __name__ == "__main__":
    {"qsub": qsub, "qstat": qstat, "qdel": qdel}[Path(sys.argv[0]).name]()
