"""The model of Li et al. (2022): a conditional VAE of Transformers with contrasts of instances and of keywords.

Its prior reads the context and the context's keyword, which a graph of all keywords has informed. Three contrasts
shape the latent space beside the evidence lower bound: the posterior of the response, and not that of a negative, is
near the prior; the keyword of the response, and not its impostor, is near that of the context; and it is near the
posterior of the response, by the Mahalanobis distance.

B examples, T tokens, d width, Z latent dimensions, N keywords.
"""

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import mean
from pipeline_lib.config.networks import Transformer as TransformerSizes
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Graph, Response, Tokens
from pipeline_lib.models.contrasts import impostors, instance_contrast, keyword_contrast, mahalanobis_contrast
from pipeline_lib.models.layers.distributions import Gaussian, importance_estimate, importance_weights, kl_by_unit
from pipeline_lib.models.layers.relational_attention import RelationalAttention, neighbourhood
from pipeline_lib.models.layers.transformer import Cache, Drop, keep_all, masked_mean
from pipeline_lib.models.system import Generated, Likelihood, Objective, given, needed
from pipeline_lib.models.transformer import TransformerSteps, TransformerSystem
from pipeline_lib.text.units import Units

_WIDEST = 6.0  # a log-variance at the most, and -6 at the least
_VANISHED = 0.01  # a contrast whose gradient has less than this share of its greatest possible size

ASKED, SAID, OTHER = range(3)  # columns of `Batch.nodes`


class Encoded(NamedTuple):
    """Encoded texts of a batch: words of the context (B, T, d), and means of texts (B, d)."""

    words: Tensor
    context: Tensor
    response: Tensor | None = None
    negative: Tensor | None = None


class Compared(NamedTuple):
    """Vectors of keywords, (B, d) each: of the context, of the response, and what may pass for the latter."""

    asked: Tensor
    said: Tensor
    impostor: Tensor


class KeywordsAndInstances(TransformerSystem):
    """The decoder attends to the words of the context and to z, which is also added to every word that it reads."""

    class Options(Settings):
        keywords: Literal["graph", "words", "none"] = Field(
            default="graph",
            description="graph: keywords attend to their neighbours; words: each is known by the texts that have it "
            "alone; none: no keyword is read, and there are no contrasts of keywords",
        )
        keyword_size: Positive | None = Field(
            default=None, description="components of a keyword's vector; set by those of the corpus's word vectors"
        )
        instance: float = Field(default=1.0, ge=0, description="weight of the contrast of instances; 0: none")
        keyword: float = Field(default=1.0, ge=0, description="weight of the contrast of keywords; 0: none")
        mahalanobis: float = Field(
            default=1.0, ge=0, description="weight of the contrast of keywords with posteriors; 0: none"
        )
        root: bool = Field(
            default=False, description="true: Mahalanobis distances are contrasted themselves; false: their squares"
        )
        temperature: float = Field(default=0.1, gt=0, description="temperature of all contrasts")
        iterations: int = Field(default=2, ge=0, le=8, description="iterations of attention over the graph")
        impostors: Literal["graph", "uniform", "negative"] = Field(
            default="graph",
            description="graph: a mean of the keyword's negative neighbours, more alike ones weighing more; uniform: "
            "their plain mean; negative: the keyword of the example's own negative",
        )
        signs: bool = Field(default=True, description="false: positive and negative edges begin alike")
        drawn: bool = Field(default=False, description="true: responses are made from a draw of z, not from its mean")

        @model_validator(mode="after")
        def _contrasts_have_keywords(self) -> "KeywordsAndInstances.Options":
            if self.keywords == "none" and (self.keyword or self.mahalanobis):
                raise ValueError("`keywords: none` leaves nothing to contrast; set `keyword: 0` and `mahalanobis: 0`")
            return self

    def __init__(self, units: Units, network: TransformerSizes, options: Options) -> None:
        super().__init__(units, network, options)
        self.options, self.draws, width = options, options.drawn, network.width
        if options.keyword_size is None and options.keywords != "none":
            raise PipelineError(
                "keywords are known by word vectors, of which the corpus has none, or of an unknown size; or the "
                "system reads no graph of them",
                where="embeddings: of the corpus, or systems.<name>.reads.graph",
                expected="vectors, and for `source: file` their `dimension:`; and `graph: graph/keywords`",
                remedy="give the corpus vectors (`embeddings: {source: native}`) and the system its graph, or set "
                "`keywords: none`",
            )
        self.posterior = _distribution(2 * width, width, network.latent)
        self.prior = _distribution(width if options.keywords == "none" else 2 * width, width, network.latent)
        self.z_as_word, self.z_beside = (nn.Linear(network.latent, width) for _ in range(2))
        if options.keywords != "none":
            self.known_by = nn.Linear(given(options.keyword_size), width)
            self.latent_keyword = nn.Linear(width, network.latent, bias=False)
        if options.keywords == "graph":
            self.attention = RelationalAttention(width)

    # --- keywords ----------------------------------------------------------------------------------------------------

    def keywords(self, graph: Graph, numbers: Tensor) -> Tensor:
        """Return the vectors of keywords by their numbers, (...) int64 -> (..., d); of -1, no keyword, zero."""
        wanted, place = numbers.clamp(min=0).unique(return_inverse=True)
        if self.options.keywords == "words":
            known = self.known_by(graph.vectors[wanted])
        else:
            part = neighbourhood([graph.positive, graph.negative], wanted, self.options.iterations)
            signs = part.signs if self.options.signs else torch.zeros_like(part.signs)
            nodes = self.attention(self.known_by(graph.vectors[part.nodes]), part.edges, signs, self.options.iterations)
            known = nodes[torch.searchsorted(part.nodes, wanted)]
        return known[place] * (numbers >= 0).unsqueeze(-1)

    def compared(self, batch: Batch) -> Compared:
        """Return the keywords that the contrasts compare.

        The graph lists what may pass for the keyword of a response; the keyword of the context never does.
        """
        graph, nodes = needed(batch.graph, "graph"), needed(batch.nodes, "nodes")
        if self.options.impostors == "negative":
            return Compared(*self.keywords(graph, nodes).unbind(1))
        candidates = graph.impostors[nodes[:, SAID]]
        known = self.keywords(graph, torch.cat([nodes[:, :OTHER], candidates], 1))
        asked, said, neighbours = known[:, ASKED], known[:, SAID], known[:, OTHER:]
        allowed = (candidates >= 0) & (candidates != nodes[:, :1])
        if self.options.impostors == "uniform":
            return Compared(asked, said, (neighbours * allowed.unsqueeze(-1)).sum(1) / allowed.sum(1, keepdim=True))
        return Compared(asked, said, impostors(said, neighbours, allowed, self.options.temperature)[0])

    # --- texts -------------------------------------------------------------------------------------------------------

    def encoded(self, batch: Batch, drop: Drop, *others: Tokens) -> Encoded:
        """Encode the context, and with it, in one pass, up to two further texts."""
        context = needed(batch.context, "context")
        texts = [context, *others]
        longest = max(text.ids.shape[1] for text in texts)
        padded = [F.pad(text.ids, (0, longest - text.ids.shape[1]), value=self.ids.pad) for text in texts]
        # examples one after the other, so that processes that share a batch draw what one would draw
        lengths = torch.stack([text.lengths for text in texts], 1)
        words = self.encode(Tokens(torch.stack(padded, 1).flatten(0, 1), lengths.flatten()), drop)
        means = masked_mean(words, lengths.flatten()).unflatten(0, (-1, len(texts)))
        own = words.unflatten(0, (-1, len(texts)))[:, 0, : context.ids.shape[1]]
        return Encoded(own, *means.unbind(1))

    def prior_of(self, batch: Batch, context: Tensor, keyword: Tensor | None = None) -> Gaussian:
        """Return p(z | context, its keyword); ``keyword`` (B, d) where it is known already."""
        if self.options.keywords == "none":
            return _clamped(self.prior(context))
        if keyword is None:
            keyword = self.keywords(needed(batch.graph, "graph"), needed(batch.nodes, "nodes")[:, ASKED])
        return _clamped(self.prior(torch.cat([context, keyword], -1)))

    def posterior_of(self, context: Tensor, other: Tensor) -> Gaussian:
        """Return q(z | context, another text)."""
        return _clamped(self.posterior(torch.cat([context, other], -1)))

    def _memory(self, batch: Batch, encoded: Encoded, z: Tensor) -> Cache:
        memory = torch.cat([self.z_as_word(z).unsqueeze(1), encoded.words], 1)
        return self.decoder.start(memory, needed(batch.context, "context").lengths + 1)

    def _nll(self, batch: Batch, encoded: Encoded, z: Tensor, drop: Drop) -> Tensor:
        return self.read(batch.response, self._memory(batch, encoded, z), drop, self.z_beside(z))

    # --- training ----------------------------------------------------------------------------------------------------

    def contrasts(
        self, compared: Compared | None, posterior: Gaussian, negative: Gaussian | None, prior: Gaussian
    ) -> dict[str, Tensor]:
        """Return the contrasts that have a weight, by name, nats, (B,) each."""
        temperature, found = self.options.temperature, {}
        if negative is not None:
            found["instance"] = instance_contrast(posterior, negative, prior, temperature)
        if compared is not None and self.options.keyword:
            found["keyword"] = keyword_contrast(*compared, temperature)
        if compared is not None and self.options.mahalanobis:
            said, impostor = (self.latent_keyword(one) for one in (compared.said, compared.impostor))
            found["mahalanobis"] = mahalanobis_contrast(said, impostor, posterior, temperature, self.options.root)
        return found

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Return reconstruction + weight * KL + contrasts, each averaged over B.

        Reconstruction is summed over tokens, the KL over dimensions; a contrast is one loss of each example, times its
        weight in the options. The log has, of every contrast, the share of examples on which its gradient has vanished.
        """
        terms, contrasts = self.terms(batch, generator)
        loss = mean(terms["nll"]) + weight * mean(terms["kl"])
        for name, contrast in contrasts.items():
            loss = loss + getattr(self.options, name) * mean(contrast)
        log = {name: term.detach() for name, term in (terms | contrasts).items()}
        log |= {f"{name}_vanished": self.has_vanished(log[name]) for name in contrasts}
        return Objective(loss, log)

    @staticmethod
    def has_vanished(contrast: Tensor) -> Tensor:
        """Tell for which of (B,) losses of a contrast hardly any gradient is left: (B,) float, 0 or 1.

        Each is softplus(x), whose gradient sigmoid(x) = 1 - exp(-softplus(x)) is 1 at the most.
        """
        return (-torch.expm1(-contrast) < _VANISHED).to(contrast)

    def terms(self, batch: Batch, generator: torch.Generator) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return reconstruction and KL, and the contrasts: nats, (B,) each."""
        drop = self.dropping(generator)
        others = [needed(batch.negative, "negative")] if self.options.instance else []
        encoded = self.encoded(batch, drop, batch.response.words, *others)
        compared = self.compared(batch) if self.options.keyword or self.options.mahalanobis else None
        prior = self.prior_of(batch, encoded.context, None if compared is None else compared.asked)
        posterior = self.posterior_of(encoded.context, given(encoded.response))
        negative = None if encoded.negative is None else self.posterior_of(encoded.context, encoded.negative)
        z = posterior.draw(generator)
        terms = {"nll": self._nll(batch, encoded, z, drop), "kl": kl_by_unit(posterior, prior).sum(-1)}
        return terms, self.contrasts(compared, posterior, negative, prior)

    # --- evaluation --------------------------------------------------------------------------------------------------

    def distributions(self, batch: Batch) -> tuple[Encoded, Gaussian, Gaussian]:
        """Return the encoded texts, q(z | context, response) and p(z | context, its keyword)."""
        encoded = self.encoded(batch, keep_all, batch.response.words)
        posterior = self.posterior_of(encoded.context, given(encoded.response))
        return encoded, posterior, self.prior_of(batch, encoded.context)

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        encoded, posterior, prior = self.distributions(batch)
        nll = self._nll(batch, encoded, posterior.draw(generator), keep_all)
        kl_units = kl_by_unit(posterior, prior)
        kl = kl_units.sum(-1)
        of_prior = self._nll(batch, encoded, self._z_of(prior, generator), keep_all)
        return Likelihood(nll, kl, nll + kl, posterior.mean, kl_units=kl_units, nll_prior=of_prior)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        encoded, posterior, prior = self.distributions(batch)
        weights = importance_weights(
            posterior, prior, lambda z: self._nll(batch, encoded, z, keep_all), generator, samples
        )
        return importance_estimate(weights)

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        encoded, posterior, _ = self.distributions(batch)
        _, of_others, _ = self.distributions(replace(batch, response=others))
        noise = posterior.noise(generator)
        own, foreign = (self._nll(batch, encoded, each.sample(noise), keep_all) for each in (posterior, of_others))
        return foreign - own

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        encoded = self.encoded(batch, keep_all)
        prior = self.prior_of(batch, encoded.context)
        z = self._z_of(prior, generator)
        return Generated(decode(TransformerSteps(self, self._memory(batch, encoded, z), self.z_beside(z))))

    def _z_of(self, prior: Gaussian, generator: torch.Generator) -> Tensor:
        """Return the z that responses are written with."""
        return prior.draw(generator) if self.options.drawn else prior.mean


def _distribution(inputs: int, hidden: int, latent: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent))


def _clamped(parameters: Tensor) -> Gaussian:
    mean, log_variance = at_least_float32(parameters).chunk(2, -1)
    return Gaussian(mean, log_variance.clamp(-_WIDEST, _WIDEST))
