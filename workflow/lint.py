"""Run `snakemake --lint`, and fail for whatever it finds but one thing: that functions are beside the rules using them.

A function of one rule file is in that file, so that a rule is read with what it depends on; what several rule files
share is in common.smk.
"""

import re
import subprocess
import sys

MEANT = "Mixed rules and functions in same snakefile."


def main() -> None:
    done = subprocess.run([sys.executable, "-m", "snakemake", "--lint"], capture_output=True, text=True)
    said = done.stdout + done.stderr
    found = re.findall(r"^ {4}\* (.+):$", said, re.MULTILINE)
    if set(found) - {MEANT} or (done.returncode and not found):
        print(said, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
