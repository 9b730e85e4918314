"""The Arrow schemas of every table between two stages: the contract that a stage may rely on.

Texts are lower-cased tokens joined by one space. ``label`` is a known latent group of an utterance, which only the
generated corpus has; elsewhere it is null.
"""

import pyarrow as pa

SPLITS = ("train", "validation", "test")

DIALOGUES = pa.schema(
    [
        pa.field("dialogue_id", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),  # 0-based position in the dialogue
        pa.field("speaker", pa.string()),
        pa.field("text", pa.string(), nullable=False),  # as the corpus has it: cased, not tokenised
        pa.field("split", pa.string(), nullable=False),  # one of SPLITS
        pa.field("label", pa.int32()),
    ]
)

PAIRS = pa.schema(
    [
        pa.field("pair_id", pa.int64(), nullable=False),  # unique within a corpus, over all splits; survives filtering
        pa.field("dialogue_id", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),  # the context's turn
        pa.field("context", pa.string(), nullable=False),
        pa.field("response", pa.string(), nullable=False),
        pa.field("label", pa.int32()),  # the response's label
    ]
)

TOKENS = pa.schema(
    [
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # over all splits
        pa.field("train_count", pa.int64(), nullable=False),
    ]
)


def vectors(dimension: int) -> pa.Schema:
    """Word vectors of ``dimension`` float32 each; file metadata ``source`` and ``sha256`` say where they came from."""
    return pa.schema(
        [
            pa.field("token", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )


def vocabulary(dimension: int) -> pa.Schema:
    """Token ids 0.. in order with their (frozen) embedding; a token without a vector has ``known`` false and zeros."""
    return pa.schema(
        [
            pa.field("token_id", pa.int32(), nullable=False),
            pa.field("token", pa.string(), nullable=False),
            pa.field("count", pa.int64(), nullable=False),  # in the filtered training split
            pa.field("known", pa.bool_(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )


# in an Arrow file, not Parquet: training maps it into memory
ENCODED = pa.schema(
    [
        pa.field("pair_id", pa.int64(), nullable=False),
        pa.field("context", pa.large_list(pa.int32()), nullable=False),  # token ids; no start, no end
        pa.field("response", pa.large_list(pa.int32()), nullable=False),
    ]
)

KEYWORDS = pa.schema(
    [
        pa.field("pair_id", pa.int64(), nullable=False),
        pa.field("context_keywords", pa.list_(pa.string()), nullable=False),  # best first
        pa.field("response_keywords", pa.list_(pa.string()), nullable=False),
    ]
)

CLUSTERS = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("pair_id", pa.int64(), nullable=False),
        pa.field("group", pa.int16(), nullable=False),  # 0-based
    ]
)

RESPONSES = pa.schema(
    [
        pa.field("pair_id", pa.int64(), nullable=False),
        pa.field("sample", pa.int16(), nullable=False),  # 0-based, where a context has several responses; else 0
        pa.field("selection", pa.string(), nullable=False),  # how the group was chosen: none, oracle or context
        pa.field("context", pa.string(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("response", pa.string(), nullable=False),
        pa.field("group", pa.int16()),  # 0-based group that the system used or chose
        pa.field("label", pa.int32()),  # the reference's known latent group, where there is one
        pa.field("tokens", pa.int32(), nullable=False),  # reference tokens, end token counted
        # likelihood of the reference, nats; null for systems without a likelihood
        pa.field("nll", pa.float32()),  # reconstruction, z drawn from the posterior
        pa.field("kl", pa.float32()),  # posterior to prior
        pa.field("bound", pa.float32()),  # negative evidence lower bound on log p(response | context), all terms
        pa.field("nll_importance", pa.float32()),  # importance-weighted estimate of -log p(response | context)
    ]
)

CASES = pa.schema(
    [
        pa.field("case", pa.int32(), nullable=False),  # 1-based
        pa.field("split", pa.string(), nullable=False),
        pa.field("context", pa.string(), nullable=False),  # of train: the case itself; else one of its nearest
        # cosine of mean word vectors; of train: between the responses, mean over pairs; else: with the case's context
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("pair_id", pa.int64(), nullable=False),  # the first pair with this context (and response, of train)
        pa.field("response", pa.string(), nullable=False),  # of train: each different one; else that pair's reference
        pa.field("count", pa.int64(), nullable=False),  # pairs of this split with this context and response
    ]
)

SCORES = pa.schema(
    [
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("system", pa.string(), nullable=False),
        pa.field("seed", pa.int32()),
        pa.field("selection", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),  # null where undefined
        pa.field("low", pa.float64()),  # 95 % interval over items (bootstrap); null for distinct and group recovery
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("n_empty", pa.int64(), nullable=False),
        pa.field("n_oov", pa.int64(), nullable=False),  # items where a side has no word with a vector
        pa.field("signature", pa.string(), nullable=False),
    ]
)

SIGNIFICANCE = pa.schema(
    [
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("best", pa.string(), nullable=False),  # the system that leads this column
        pa.field("other", pa.string(), nullable=False),
        pa.field("runner_up", pa.bool_(), nullable=False),  # ``other`` is the best of the others
        pa.field("difference", pa.float64(), nullable=False),  # best minus other, each averaged over seeds
        pa.field("p", pa.float64(), nullable=False),
        pa.field("p_adjusted", pa.float64(), nullable=False),  # Holm, over the others of this column
        pa.field("significant", pa.bool_(), nullable=False),
        pa.field("n", pa.int64(), nullable=False),  # items
        pa.field("method", pa.string(), nullable=False),
    ]
)
