"""T5 (Raffel et al. 2020): the encoder and decoder of the package `transformers`, over the units of the corpus.

B examples, S tokens of the context, T of the response, d width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline_lib.config.networks import Transformer
from pipeline_lib.config.pretrained import OfTransformers
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.layers.recurrent import response_nll, valid_positions
from pipeline_lib.models.pretrained import (
    Folder,
    PretrainedSystem,
    below,
    load_part,
    noise_of,
    read_folder,
    transformers_package,
    unfit,
)
from pipeline_lib.models.system import Generated, needed
from pipeline_lib.text.units import Units


class Memory:
    """Encoded contexts: ``states`` (B, S, d) and ``inside`` (B, S), 1 for a token and 0 for padding."""

    def __init__(self, states: Tensor, inside: Tensor) -> None:
        self.states, self.inside = states, inside

    def __getitem__(self, rows: Tensor) -> "Memory":
        return Memory(self.states[rows], self.inside[rows])


class T5(PretrainedSystem):
    """Encoder and decoder share the words, onto which the decoder projects without a bias."""

    class Options(OfTransformers):
        """Those of the weights."""

        kind = "t5"

    def __init__(self, units: Units, network: Transformer, options: OfTransformers) -> None:
        super().__init__(units, network, options)
        folder = read_folder(options, self.Options.kind)
        self.config = folder.config if folder else options.config
        config = transformers_package().T5Config(**(self.config or _sizes(network)))
        config.vocab_size = len(units)
        self.scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
        whole = transformers_package().T5ForConditionalGeneration(config)
        self.encoder, self.decoder = whole.encoder, whole.decoder
        self.output = nn.Linear(config.d_model, len(units))  # its weights are the words; T5 has no bias
        self.output.weight.data.copy_(whole.shared.weight)
        nn.init.zeros_(self.output.bias).requires_grad_(False)
        for stack in (self.encoder, self.decoder):
            del stack.embed_tokens  # words are given to it embedded
        if folder is not None:
            self._load(folder, units)

    def _load(self, folder: Folder, units: Units) -> None:
        config, weights = folder.config, folder.weights
        if config.get("tie_word_embeddings") is False:
            raise unfit(folder.path, "its output is not its words, as in T5 1.1", "T5 as it was first published")
        if "shared.weight" not in weights:
            raise unfit(folder.path, "it has no words (shared.weight)", "the weights of T5")
        start = config.get("decoder_start_token_id", config.get("pad_token_id", 0))
        same = {units.ids.start: start, units.ids.end: config.get("eos_token_id", 1), units.ids.pad: start}
        self.output.weight.data.copy_(folder.fitted(weights["shared.weight"], units, same))
        for name, stack in (("encoder.", self.encoder), ("decoder.", self.decoder)):
            own = below(weights, name)
            own.pop("embed_tokens.weight", None)  # the words again
            load_part(stack, own, folder.path)

    def read(self, context: Tokens) -> Memory:
        """Encode contexts."""
        inside = valid_positions(context.lengths, context.ids.shape[1]).long()
        encoded = self.encoder(inputs_embeds=self._embedded(context.ids), attention_mask=inside)
        return Memory(encoded.last_hidden_state, inside)

    def states(self, response: Response, memory: Memory) -> Tensor:
        """Return what the words of responses are told from, (B, T, d)."""
        decoded = self.decoder(
            inputs_embeds=self._embedded(response.inputs),
            encoder_hidden_states=memory.states,
            encoder_attention_mask=memory.inside,
            use_cache=False,
        )
        return self.scale * decoded.last_hidden_state

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        return Generated(decode(T5Steps(self, self.read(needed(batch.context, "context")))))

    def _embedded(self, words: Tensor) -> Tensor:
        return nn.functional.embedding(words, self.output.weight)

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        with noise_of(generator):
            states = self.states(batch.response, self.read(needed(batch.context, "context")))
        return response_nll(states, self.output, batch.response.targets, batch.response.lengths)


class T5Steps:
    """`decoding.steps.Steps` of a `T5`, with the keys and values of what is written."""

    def __init__(self, system: T5, memory: Memory) -> None:
        self._system, self._memory, self._past = system, memory, None

    @property
    def rows(self) -> int:
        return len(self._memory.states)

    @property
    def device(self) -> torch.device:
        return self._memory.states.device

    def next(self, words: Tensor) -> Tensor:
        decoded = self._system.decoder(
            inputs_embeds=self._system._embedded(words.unsqueeze(1)),
            encoder_hidden_states=self._memory.states,
            encoder_attention_mask=self._memory.inside,
            past_key_values=self._past,
            use_cache=True,
        )
        self._past = decoded.past_key_values
        return self._system.output(self._system.scale * decoded.last_hidden_state.squeeze(1)).float()

    def keep(self, rows: Tensor) -> None:
        self._memory = self._memory[rows]
        if self._past is not None:
            self._past.batch_select_indices(rows)


def _sizes(network: Transformer) -> dict[str, Any]:
    return {
        "d_model": network.width,
        "d_kv": network.width // network.heads,
        "d_ff": network.feed_forward,
        "num_layers": network.layers,
        "num_heads": network.heads,
        "dropout_rate": network.dropout,
    }
