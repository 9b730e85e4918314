"""DialoGPT (Zhang et al. 2020): GPT-2 of the package `transformers`, which goes on from a context to the response.

A text is the context, the start token, which parts the two, and the response with its end token; the loss is that of
the response. B examples, S tokens of the context, T of the response, d width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline_lib.config.networks import Transformer
from pipeline_lib.config.pretrained import OfTransformers
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Tokens
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

_POSITIONS = 512  # of random weights


class DialoGPT(PretrainedSystem):
    """A decoder whose words are those that it projects onto, without a bias."""

    class Options(OfTransformers):
        """Those of the weights."""

        kind = "gpt2"

    def __init__(self, units: Units, network: Transformer, options: OfTransformers) -> None:
        super().__init__(units, network, options)
        folder = read_folder(options, self.Options.kind)
        self.config = folder.config if folder else options.config
        config = transformers_package().GPT2Config(**(self.config or _sizes(network)))
        config.vocab_size, self.positions = len(units), config.n_positions
        self.decoder = transformers_package().GPT2Model(config)
        self.output = nn.Linear(config.n_embd, len(units))  # its weights are the words; GPT-2 has no bias
        self.output.weight.data.copy_(self.decoder.wte.weight)
        nn.init.zeros_(self.output.bias).requires_grad_(False)
        del self.decoder.wte  # words are given to it embedded
        if folder is not None:
            self._load(folder, units)

    def _load(self, folder: Folder, units: Units) -> None:
        weights = below(folder.weights, "transformer.") or folder.weights
        if "wte.weight" not in weights:
            raise unfit(folder.path, "it has no words (wte.weight)", "the weights of GPT-2")
        end = folder.config.get("eos_token_id", 50256)
        same = {units.ids.start: end, units.ids.end: end, units.ids.pad: end}
        self.output.weight.data.copy_(folder.fitted(weights["wte.weight"], units, same))
        masks = (".attn.bias", ".attn.masked_bias")  # which older files hold beside the weights
        own = {name: value for name, value in weights.items() if name != "wte.weight" and not name.endswith(masks)}
        own.pop("lm_head.weight", None)  # the words again
        load_part(self.decoder, own, folder.path)

    def states(self, words: Tensor, inside: Tensor, past: Any = None, use_cache: bool = False) -> Any:
        """Read (B, T) words after those of ``past``; ``inside`` (B, all) is 1 for a token and 0 for padding."""
        places = (inside.cumsum(1) - 1).clamp(min=0)[:, -words.shape[1] :]
        longest = int(places.max()) + 1
        if longest > self.positions:
            raise PipelineError(
                f"context and response of an example have {longest} tokens",
                where="filtering.context_length, filtering.response_length",
                expected=f"at most {self.positions} in all (n_positions of the model)",
                remedy="lower the lengths for this corpus, or leave the system out (`rows:`)",
            )
        return self.decoder(
            inputs_embeds=nn.functional.embedding(words, self.output.weight),
            attention_mask=inside,
            position_ids=places,
            past_key_values=past,
            use_cache=use_cache,
        )

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        return Generated(decode(DialoGPTSteps(self, needed(batch.context, "context"))))

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        context, response = needed(batch.context, "context"), batch.response
        joined = torch.cat([context.ids, response.inputs], 1)
        inside = torch.cat([_inside(context.ids, context.lengths), _inside(response.inputs, response.lengths)], 1)
        with noise_of(generator):
            states = self.states(joined, inside).last_hidden_state[:, context.ids.shape[1] :]
        return response_nll(states, self.output, response.targets, response.lengths)


class DialoGPTSteps:
    """`decoding.steps.Steps` of a `DialoGPT`, with the keys and values of the context and of what is written."""

    def __init__(self, system: DialoGPT, context: Tokens) -> None:
        self._system = system
        self._inside = _inside(context.ids, context.lengths)
        self._past = system.states(context.ids, self._inside, use_cache=True).past_key_values

    @property
    def rows(self) -> int:
        return len(self._inside)

    @property
    def device(self) -> torch.device:
        return self._inside.device

    def next(self, words: Tensor) -> Tensor:
        self._inside = torch.cat([self._inside, torch.ones_like(self._inside[:, :1])], 1)
        read = self._system.states(words.unsqueeze(1), self._inside, self._past, use_cache=True)
        self._past = read.past_key_values
        return self._system.output(read.last_hidden_state.squeeze(1)).float()

    def keep(self, rows: Tensor) -> None:
        self._inside = self._inside[rows]
        self._past.batch_select_indices(rows)


def _inside(ids: Tensor, lengths: Tensor) -> Tensor:
    return valid_positions(lengths, ids.shape[1]).long()


def _sizes(network: Transformer) -> dict[str, Any]:
    return {
        "n_embd": network.width,
        "n_layer": network.layers,
        "n_head": network.heads,
        "n_inner": network.feed_forward,
        "n_positions": _POSITIONS,
        "resid_pdrop": network.dropout,
        "embd_pdrop": network.dropout,
        "attn_pdrop": network.dropout,
    }
