#!/usr/bin/env bash
# Hands one job to PBS and prints its id. Snakemake calls it as
#   submit.sh RULE THREADS MEM_MB MINUTES GPUS SCRIPT
# Add what your site asks for to qsub's options: -A account, -q queue.
set -euo pipefail
rule=$1 threads=$2 mem_mb=$3 minutes=$4 gpus=$5 script=$6

logs=.snakemake/pbs_logs
mkdir -p "$logs"
needs="select=1:ncpus=$threads:mem=${mem_mb}mb"
if [ "$gpus" -gt 0 ]; then needs+=":ngpus=$gpus"; fi
# older servers refuse names above 15 characters
qsub -N "${rule:0:15}" -l "$needs" -l "walltime=$((minutes / 60)):$((minutes % 60)):00" -j oe -o "$logs/" "$script"
