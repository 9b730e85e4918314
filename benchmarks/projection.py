"""Likelihood over a vocabulary of 87,840 words with its gradient: in stretches, against all logits at once.

OpenSubtitles' vocabulary, hidden size 300; `plain` is cross_entropy of a linear layer. Each form and number of tokens
runs in a process of its own; about a minute.

    python benchmarks/projection.py
"""

import sys
import time

import torch
from measure import head, python, row
from torch.nn import functional as F

from pipeline_lib.compute.device import keep_freed_memory
from pipeline_lib.models.layers import projection

VOCABULARY, HIDDEN, STEPS = 87_840, 300, 3
TOKENS = (512, 1_024, 2_048)


def seconds(form: str, tokens: int) -> float:
    """Mean of a forward and backward pass after a warm-up."""
    torch.set_num_threads(2)
    keep_freed_memory()
    torch.manual_seed(0)
    output = torch.nn.Linear(HIDDEN, VOCABULARY)
    rows, targets = torch.randn(tokens, HIDDEN, requires_grad=True), torch.randint(VOCABULARY, (tokens,))
    times = []
    for _ in range(STEPS + 1):
        started = time.perf_counter()
        if form == "plain":
            nll = F.cross_entropy(output(rows), targets, reduction="none")
        else:
            nll = projection.likelihood(rows, output, targets)
        nll.mean().backward()
        output.zero_grad()
        times.append(time.perf_counter() - started)
    return sum(times[1:]) / STEPS


def main() -> None:
    head("tokens x 87,840 words", "stretches, s", "plain, s", "times plain", "stretches, peak MiB", "plain, peak MiB")
    for tokens in TOKENS:
        runs = {form: python(__file__, form, str(tokens)) for form in ("stretches", "plain")}
        ours, plain = (float(run.output) for run in runs.values())
        peaks = (f"{run.peak:,.0f}" for run in runs.values())
        row(f"{tokens:,}", f"{ours:.2f}", f"{plain:.2f}", f"{ours / plain:.2f}", *peaks)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(seconds(sys.argv[1], int(sys.argv[2])))  # of one form, in this process
    else:
        main()
