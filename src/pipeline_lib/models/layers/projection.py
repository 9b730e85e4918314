"""Hidden states to word likelihoods over a vocabulary of any size, without a matrix of tokens x vocabulary.

The logits of a step are the largest thing in it: 2,000 tokens x 87,840 words are 700 MB, several times over with their
softmax and gradients. Here they are made a few rows at a time. Where all fit into one stretch its probabilities are
kept for the gradient; else each stretch is made again, which costs a third more multiplications and no memory.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pipeline_lib.compute.precision import at_least_float32

_LOGITS_AT_ONCE = 1 << 24  # 64 MiB of float32
_SCORED_AT_ONCE = 1 << 21  # without gradient: 8 MiB, which stay in the processor's cache from the product to the sum
_FEWEST_ROWS = 256  # below this a matrix product wastes its time on reading the weights


def likelihood(rows: Tensor, output: nn.Linear, targets: Tensor) -> Tensor:
    """Return ``-log softmax(output(rows))[target]``, nats, (M,) float32 or wider.

    Args:
        rows: (M, H) hidden states of non-pad positions.
        output: projection onto the V words.
        targets: (M,) int64.
    """
    if not torch.is_grad_enabled():
        at_once = _rows_at_once(output.out_features, _SCORED_AT_ONCE)
        stretches = zip(rows.split(at_once), targets.split(at_once), strict=True)
        return torch.cat([_token_nll(part, output, words) for part, words in stretches])
    nll: Tensor = _apply(rows, output, targets, None)[0]
    return nll


def likelihood_and_expected_vectors(
    rows: Tensor, output: nn.Linear, targets: Tensor, embeddings: Tensor
) -> tuple[Tensor, Tensor]:
    """Return `likelihood`, and the expected word vectors ``softmax(output(rows)) @ embeddings`` (M, E), by one softmax.

    Args:
        embeddings: (V, E), frozen.
    """
    nll, expected = _apply(rows, output, targets, embeddings)
    return nll, expected


def _apply(rows: Tensor, output: nn.Linear, targets: Tensor, embeddings: Tensor | None) -> Any:
    return _Projection.apply(rows, output.weight, output.bias, targets, embeddings)


def _rows_at_once(vocabulary_size: int, logits: int) -> int:
    return max(_FEWEST_ROWS, logits // vocabulary_size)


def _token_nll(rows: Tensor, output: nn.Linear, targets: Tensor) -> Tensor:
    logits = at_least_float32(output(rows))
    target = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    total = logits.exp_().sum(-1)  # half the cost of logsumexp, and as exact unless it over- or underflows
    if bool((torch.isfinite(total) & (total > 1e-30)).all()):
        return total.log() - target
    return at_least_float32(output(rows)).logsumexp(-1) - target


class _Projection(torch.autograd.Function):
    """rows, weight (V, H), bias (V,), targets, embeddings or None -> nll (M,), expected vectors (M, E) or None."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, embeddings: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        device = rows.device.type
        ctx.product = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else rows.dtype
        nll, normaliser, expected = [], [], []
        at_once = _rows_at_once(len(weight), _LOGITS_AT_ONCE)
        with torch.autocast(device, enabled=False):
            for part, words in zip(rows.split(at_once), targets.split(at_once), strict=True):
                logits = _logits(part, weight, bias, ctx.product)
                largest = logits.amax(1, keepdim=True)
                at_target = logits.sub_(largest).gather(1, words.unsqueeze(1))
                probabilities = logits.exp_()
                total = probabilities.sum(1, keepdim=True)
                probabilities.div_(total)
                logarithm = total.log_()
                nll.append((logarithm - at_target).squeeze(1))
                normaliser.append(logarithm + largest)
                if embeddings is not None:
                    expected.append(probabilities @ embeddings)
        vectors = None if embeddings is None else torch.cat(expected)
        ctx.kept = probabilities if len(rows) <= at_once else None
        ctx.save_for_backward(rows, weight, bias, targets, embeddings, vectors, torch.cat(normaliser))
        return torch.cat(nll), vectors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_nll: Tensor, d_expected: Tensor | None) -> tuple[Tensor | None, ...]:
        rows, weight, bias, targets, embeddings, vectors, normaliser = ctx.saved_tensors
        d_weight = d_bias = None
        d_rows = torch.empty_like(rows)
        narrow = weight.to(ctx.product)
        # gradient of a logit: p_v * (d_expected . e_v + level), less d_nll at the target
        level = d_nll.unsqueeze(1)
        if d_expected is not None:
            level = level - (d_expected * vectors).sum(1, keepdim=True)
        with torch.autocast(rows.device.type, enabled=False):
            at_once = _rows_at_once(len(weight), _LOGITS_AT_ONCE)
            for part in (slice(start, start + at_once) for start in range(0, len(rows), at_once)):
                probabilities, ctx.kept = ctx.kept, None  # overwritten: a second backward pass computes them again
                if probabilities is None:
                    probabilities = _logits(rows[part], weight, bias, ctx.product).sub_(normaliser[part]).exp_()
                if d_expected is None:
                    d_logits = probabilities.mul_(level[part])
                else:
                    d_logits = torch.addmm(level[part], d_expected[part], embeddings.t()).mul_(probabilities)
                d_logits.scatter_add_(1, targets[part].unsqueeze(1), -d_nll[part].unsqueeze(1))
                if ctx.needs_input_grad[2]:
                    d_bias = _added(d_bias, d_logits.sum(0))
                d_logits = d_logits.to(ctx.product)
                d_rows[part] = d_logits @ narrow
                if ctx.needs_input_grad[1]:  # not where a phase trains an encoder alone
                    d_weight = _added(d_weight, (d_logits.t() @ rows[part].to(ctx.product)).to(weight.dtype))
        return d_rows, d_weight, d_bias, None, None


def _added(total: Tensor | None, part: Tensor) -> Tensor:
    return part if total is None else total.add_(part)


def _logits(rows: Tensor, weight: Tensor, bias: Tensor, product: torch.dtype) -> Tensor:
    """Return (m, V) logits, multiplied in the type ``product``."""
    return at_least_float32(torch.addmm(bias.to(product), rows.to(product), weight.to(product).t()))
