"""BERT-GEN: a BERT encoder, whose weights may be given, and a Transformer decoder that begins at random.

The encoder reads the context between the start and the end token, as BERT reads a text between [CLS] and [SEP].
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.config.networks import Transformer as TransformerSizes
from pipeline_lib.config.pretrained import Pretrained
from pipeline_lib.examples.batch import Batch, Tokens
from pipeline_lib.models.layers.bert import BertEncoder, BertSizes, renamed
from pipeline_lib.models.layers.transformer import Drop
from pipeline_lib.models.pretrained import Folder, apart, below, load_part, read_folder, unfit
from pipeline_lib.models.system import given, needed
from pipeline_lib.models.transformer import Transformer
from pipeline_lib.schemas.responses import RANDOM_START
from pipeline_lib.text.units import Units


class BertGen(Transformer):
    """A Transformer whose encoder is BERT; a linear map takes what it says to the width of the decoder."""

    class Options(Pretrained):
        """Those of the encoder's weights."""

        kind = "bert"

    def __init__(self, units: Units, network: TransformerSizes, options: Pretrained) -> None:
        super().__init__(units, network, Transformer.Options())
        self.apart = apart(options)
        folder = read_folder(options, self.Options.kind)
        self.config = folder.config if folder else options.config
        if self.config is None:
            sizes = BertSizes(network.layers, network.width, network.heads, network.feed_forward)
        else:
            sizes = _sizes_of(self.config, Path(given(options.weights)))
        self.encoder = bert(folder, units, sizes)  # type: ignore[assignment]  # it reads ids, not vectors
        self.inward = nn.Linear(sizes.width, network.width)

    def given_parameters(self) -> Iterable[Tensor]:
        return [] if self.apart == RANDOM_START else self.encoder.parameters()

    def encode(self, texts: Tokens, drop: Drop) -> Tensor:
        return self.inward(self.encoder(texts.ids, texts.lengths, drop))

    def _context(self, batch: Batch) -> Tokens:
        context = needed(batch.context, "context")
        ids = F.pad(F.pad(context.ids, (1, 0), value=self.ids.start), (0, 1), value=self.ids.pad)
        return Tokens(ids.scatter(1, context.lengths.unsqueeze(1) + 1, self.ids.end), context.lengths + 2)


def bert(folder: Folder | None, units: Units, sizes: BertSizes) -> BertEncoder:
    """Build the encoder, with the weights of a folder if there is one.

    Raises:
        PipelineError: the weights are not those that the folder describes.
    """
    encoder = BertEncoder(len(units), sizes)
    if folder is not None:
        weights = below(folder.weights, "bert.") or folder.weights
        if "embeddings.word_embeddings.weight" not in weights:
            raise unfit(folder.path, "it has no words (embeddings.word_embeddings.weight)", "the weights of BERT")
        words = folder.fitted(weights["embeddings.word_embeddings.weight"], units, {})
        load_part(encoder, renamed(weights, words), folder.path)
    return encoder


def _sizes_of(config: dict[str, Any], folder: Path) -> BertSizes:
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings")
    if missing := [name for name in names if not isinstance(config.get(name), int)]:
        raise unfit(folder, f"config.json gives no {missing[0]}", f"{', '.join(names)}")
    if config.get("hidden_act", "gelu") != "gelu":
        raise unfit(folder, f"its activation is {config['hidden_act']!r}", "gelu")
    layers, width, heads, feed_forward, positions = (config[name] for name in names)
    return BertSizes(layers, width, heads, feed_forward, positions, config.get("layer_norm_eps", 1e-12))
