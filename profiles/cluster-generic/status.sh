#!/usr/bin/env bash
# Prints running, success or failed for the PBS job with the id $1, which is all that Snakemake understands.
set -euo pipefail

# a busy server may fail to answer; a job that it does not know after a minute is gone
for pause in 1 5 15 40 0; do
    if answer=$(qstat -x -f "$1" 2>/dev/null); then break; fi
    answer=
    sleep "$pause"
done

state=$(sed -n 's/^ *job_state = //p' <<<"$answer")
status=$(sed -n 's/^ *Exit_status = //p' <<<"$answer")
case "$state/$status" in
    F/0) echo success ;;
    F/* | /*) echo failed ;;
    *) echo running ;;  # queued, held, suspended, on its way out
esac
