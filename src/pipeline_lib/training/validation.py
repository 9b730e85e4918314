"""Validation metrics during training: perplexities, KL, active units, mutual information."""

import torch

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.compute.sharing import holding
from pipeline_lib.examples.batch import Tokens
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.metrics.latent import ACTIVE_NATS
from pipeline_lib.models.layers.distributions import Gaussian
from pipeline_lib.models.layers.mutual_information import information
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.system import Likelihood, System, Trial, check_nll

_NOISE = 7_919  # of validation; the training step of this number draws the same stream, for other examples


def validate(
    model: System, dataset: ExampleDataset, batch_size: int, seed: int, limit: int | None, ranks: Ranks
) -> dict[str, float]:
    """Return perplexities (pooled over tokens), mean KL and mutual information (nats per example) and active units.

    They are those of the first ``limit`` examples. Of a system that tries responses, so are the means of its measures,
    and the length and distinct-2 of the responses.

    The noise is the same at each call, so that two validations differ by the weights alone.

    Raises:
        PipelineError: a negative log-likelihood is below 0.
    """
    device = model.device
    generator = seeded(device, seed, _NOISE)
    parts: list[Likelihood] = []
    trials: list[Trial] = []
    tokens = 0
    model.eval()
    with torch.no_grad():
        for rows in dataset.by_length(batch_size, limit):
            tokens += dataset.targets(rows)
            share = ranks.share(len(rows))
            batch = dataset.batch(rows, share).to(device)
            counted = len(batch) if share is None else share.counted
            with holding(share):
                parts.append(_counted(model.likelihood(batch, generator), counted))
                trial = model.trial(batch, generator)
            if trial is not None:
                trials.append(_counted_trial(trial, counted))
    model.train()

    def pooled(name: str) -> torch.Tensor:
        return ranks.concatenated(torch.cat([getattr(part, name) for part in parts])).double()

    def perplexity(nats: torch.Tensor) -> float:
        return float((nats.sum() / tokens).exp())  # of more than 709 nats a token: infinite

    nll = pooled("nll")
    check_nll(float(nll.min()), model)
    values = {"ppl": perplexity(nll)}
    if parts[0].bound is not None:
        values |= {"ppl_bound": perplexity(pooled("bound")), "kl": float(pooled("kl").mean())}
    if parts[0].nll_prior is not None:
        values["ppl_prior"] = perplexity(pooled("nll_prior"))
    if parts[0].kl_units is not None:
        values["active_units"] = int((pooled("kl_units").mean(0) > ACTIVE_NATS).sum())
    if parts[0].posterior_log_variance is not None:
        posterior = Gaussian(pooled("posterior_mean"), pooled("posterior_log_variance"))
        values["mutual_information"] = float(information(posterior, pooled("z")).mean())
    return values | (_tried(trials, ranks) if trials else {})


def _tried(trials: list[Trial], ranks: Ranks) -> dict[str, float]:
    """Return the means of all measures, the mean length, and distinct-2: different word pairs over all (0 of none)."""

    def pooled(parts: list[torch.Tensor]) -> torch.Tensor:
        return ranks.concatenated(torch.cat(parts))

    means = {name: pooled([trial.measures[name] for trial in trials]) for name in trials[0].measures}
    means["length"] = pooled([trial.words.lengths for trial in trials])
    pairs = pooled([_word_pairs(trial.words) for trial in trials])
    distinct = len(pairs.unique(dim=0)) / max(1, len(pairs))
    return {name: float(each.double().mean()) for name, each in means.items()} | {"distinct_2": distinct}


def _word_pairs(words: Tokens) -> torch.Tensor:
    """Return the neighbouring words of all responses, (n, 2)."""
    inside = valid_positions(words.lengths - 1, words.ids.shape[1] - 1)
    return torch.stack([words.ids[:, :-1], words.ids[:, 1:]], -1)[inside]


def _counted_trial(trial: Trial, examples: int) -> Trial:
    """Return what is pooled of the first ``examples``."""
    words = Tokens(trial.words.ids[:examples], trial.words.lengths[:examples])
    return Trial(words, {name: own[:examples] for name, own in trial.measures.items()})


def _counted(likelihood: Likelihood, examples: int) -> Likelihood:
    """Return what is pooled of the first ``examples``."""

    def first(part: torch.Tensor | None) -> torch.Tensor | None:
        return None if part is None else part[:examples]

    return Likelihood(
        likelihood.nll[:examples],
        first(likelihood.kl),
        first(likelihood.bound),
        first(likelihood.posterior_mean),
        kl_units=first(likelihood.kl_units),
        posterior_log_variance=first(likelihood.posterior_log_variance),
        z=first(likelihood.z),
        nll_prior=first(likelihood.nll_prior),
    )
