"""The responses of a system, and its likelihoods of the references."""

import pyarrow as pa

RESPONSES = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("sample", pa.int16(), nullable=False),  # 0-based, where a context has several responses; else 0
        pa.field("selection", pa.string(), nullable=False),  # how the group was chosen: none, oracle or context
        pa.field("context", pa.string(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("response", pa.string()),  # null throughout where a system makes no texts, only likelihoods
        pa.field("group", pa.int16()),  # 0-based group that the system used or chose
        pa.field("label", pa.int32()),  # the reference's known latent group, where there is one
        pa.field(
            "tokens", pa.int32(), nullable=False
        ),  # of the reference, end token counted; words, whatever the units
        # likelihood of the reference, nats; null for systems without a likelihood
        pa.field("nll", pa.float32()),  # reconstruction, z drawn from the posterior
        pa.field("nll_end", pa.float32()),  # the end token's share of nll, where a system tells it
        pa.field("kl", pa.float32()),  # posterior to prior
        pa.field("bound", pa.float32()),  # negative evidence lower bound on log p(response | context), all terms
        pa.field("nll_importance", pa.float32()),  # importance-weighted estimate of -log p(response | context)
        pa.field("group_nats", pa.float32()),  # what naming the group adds to kl
        pa.field("context_use", pa.float32()),  # what bound loses when the contexts of the split are permuted
        pa.field("z_use", pa.float32()),  # what reconstruction loses with z from the posterior of another response
        pa.field("mutual_information", pa.float32()),  # log q(z | reference) - log q(z) of the z behind nll
    ]
)

# likelihoods and what else is measured of the model that gave a response
MEASURED = (
    "nll",
    "nll_end",
    "kl",
    "bound",
    "nll_importance",
    "group_nats",
    "context_use",
    "z_use",
    "mutual_information",
)


# why a row stands apart, as a column of its items; other systems have none of them
RANDOM_START = "apart-random"  # pretrained weights were not given: they were drawn
SEEN_CORPUS = "apart-seen"  # pretrained weights were trained on the corpus
APART = (RANDOM_START, SEEN_CORPUS)

NO_GROUPS = "none"  # the selection of a system that has no groups to choose from
ORACLE = "oracle"  # a selection that has seen the reference: it competes in no column
