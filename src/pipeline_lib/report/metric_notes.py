"""What the page says about a metric: its meaning in a line, and which direction is better."""

from typing import Any

from pipeline_lib.metrics.directions import BETTER

MEANING = {
    "ppl": "Perplexity of the reconstruction: z drawn from the posterior, KL left out",
    "ppl-bound": "Perplexity from the evidence lower bound, all terms; never below the model's own",
    "ppl-importance": "Perplexity from an importance-weighted estimate of the likelihood",
    "kl": "Nats between posterior and prior of z, per example; below 0.1 the latent variable is unused",
    "active-units": "Latent dimensions whose posterior mean varies over the split by more than 0.01",
    "distinct-1": "Different words of all responses over all their words",
    "distinct-2": "Different word pairs of all responses over all their word pairs",
    "length": "Words of a response",
    "BLEU-1": "Smoothed sentence BLEU, unigrams",
    "BLEU-2": "Smoothed sentence BLEU, up to bigrams",
    "BLEU-3": "Smoothed sentence BLEU, up to trigrams",
    "BLEU-4": "Smoothed sentence BLEU, up to 4-grams",
    "corpus-BLEU": "BLEU of the whole set, orders 1 to 4, not smoothed",
    "Average": "Cosine of the mean word vectors of response and reference",
    "Greedy": "Each word matched with its nearest of the other side, both directions",
    "Extrema": "Cosine of the vectors of extreme values of response and reference",
    "coherence": "Cosine of the word vectors of context and response",
    "ARI": "Agreement of the groups used with the true ones, adjusted for chance (Rand index)",
    "NMI": "Agreement of the groups used with the true ones (normalised mutual information)",
    "repeats": "Contexts of this split to which the system gives this very response",
}
# what each item has in place of a metric that exists for whole sets alone
PER_ITEM = {"distinct-1": "repeats", "distinct-2": "repeats", "corpus-BLEU": "BLEU-4"}


def metric_notes() -> dict[str, dict[str, Any]]:
    """Metric -> its meaning, the better direction (None: neither) and the metric that its items are sorted by."""
    better = {**BETTER, "ARI": "higher", "NMI": "higher", "repeats": "lower"}
    return {
        name: {"meaning": meaning, "better": better.get(name), "item": PER_ITEM.get(name, name)}
        for name, meaning in MEANING.items()
    }
