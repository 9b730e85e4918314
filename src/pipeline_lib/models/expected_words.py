"""Likelihood of words and their expected vectors from one softmax over the vocabulary.

SepaCVAE needs both of the same logits. Two separate operations would each keep and differentiate a (M, V) softmax;
here the probabilities are computed once and the gradient is two passes over one buffer.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def likelihood_and_expected_vectors(logits: Tensor, targets: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """``-log softmax(logits)[target]`` (M,), nats, and ``softmax(logits) @ embeddings`` (M, E).

    Args:
        logits: (M, V), overwritten.
        targets: (M,) int64.
        embeddings: (V, E), frozen.
    """
    with torch.autocast(logits.device.type, enabled=False):  # float32 in, float32 out
        return _Softmax.apply(logits, targets, embeddings)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        target = targets.unsqueeze(1)
        shifted = logits.sub_(logits.amax(1, keepdim=True))
        at_target = shifted.gather(1, target)
        probabilities = shifted.exp_()
        total = probabilities.sum(1, keepdim=True)
        probabilities.div_(total)
        expected = probabilities @ embeddings
        ctx.save_for_backward(probabilities, target, embeddings, expected)
        return (total.log() - at_target).squeeze(1), expected

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_nll: Tensor, d_expected: Tensor) -> tuple[Tensor | None, ...]:
        probabilities, target, embeddings, expected = ctx.saved_tensors
        d_nll = d_nll.unsqueeze(1)
        # p * (d_expected . e_v - d_expected . expected + d_nll), less d_nll at the target
        d_logits = torch.addmm(d_nll - (d_expected * expected).sum(1, keepdim=True), d_expected, embeddings.t())
        d_logits.mul_(probabilities)
        return d_logits.scatter_add_(1, target, -d_nll), None, None
