"""The interface of every trained system: an objective, a likelihood, responses."""

import importlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pipeline_lib.config.networks import Recurrent, Sizes
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.steps import Decode, Strategy
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.text.units import Units

T = TypeVar("T")
_ROUNDING = 0.1  # nats below 0 that half precision may make of a sure response


class Objective(NamedTuple):
    """``loss`` to minimise (scalar) and what to log: each entry a detached scalar or a (B,) tensor that is averaged."""

    loss: Tensor
    log: dict[str, Tensor]


@dataclass(frozen=True)
class Repeated:
    """Updates of a phase that go on within a round until its loss stops falling (He et al. 2019, algorithm 1).

    Attributes:
        while_rising: validation value; once it falls from one validation to the next, the phase makes the updates of
            the settings, as other phases do, until the end of training.
        window: updates whose mean loss, nats a token, is compared with that of as many before them.
        most: updates of a round.
    """

    while_rising: str
    window: int = 15
    most: int = 100


@dataclass(frozen=True, eq=False)
class Phase:
    """A part of training that has an optimiser of its own.

    Training goes in rounds: in each, every phase that takes part makes its updates, in the order of `System.phases`.
    How many, and with what optimiser, is said by `training.phases.<name>` of the configuration. Only the gradients of
    the phase's parameters are computed; what else its objective goes through stays as it is.

    Attributes:
        name: key of `training.phases:`, and prefix of its records where a system has several phases.
        parameters: what the phase owns. Every parameter that takes a gradient is owned by exactly one phase.
        objective: the loss of a batch, given the annealed weight and the noise of this update.
        since, until: the first round in which it takes part, and the first in which it no longer does; None: to the
            end.
        shared: parameters of other phases that this one updates too, by an optimiser state of its own.
        fresh: draw a new batch for every update; False: the first update of a round takes the batch drawn last (with
            noise of its own), as where an autoencoder, its prior and a critic are trained on one batch.
        repeated: makes more updates than the settings say while they lower its loss; None: never. Such updates beyond
            the settings' do not count as epochs when the end of training is planned.
        twice: parameters of this phase that its optimiser lists twice, as some published code does by mistake: they
            are moved twice, and their gradient counts and is scaled twice in clipping.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    objective: Callable[[Batch, float, torch.Generator], Objective]
    since: int = 0
    until: int | None = None
    shared: Sequence[nn.Parameter] = ()
    fresh: bool = True
    repeated: Repeated | None = None
    twice: Sequence[nn.Parameter] = ()


class Likelihood(NamedTuple):
    """The reference's likelihood per example, nats; fields that a system does not have are None.

    Attributes:
        nll: (B,), reconstruction with z from the posterior.
        kl: (B,), posterior to prior; None for an implicit prior.
        bound: (B,), the negative evidence lower bound with every term that belongs to log p(response | context); None
            for an implicit prior.
        posterior_mean: (B, Z).
        group: (B,) int64.
        condition: (B, C + Z), the context's encoding with the z that was drawn, [c; z].
        end: (B,), the end token's share of ``nll``.
        kl_units: (B, Z), the KL of each latent dimension.
        group_nats: (B,), what naming the group adds to the KL.
        posterior_log_variance: (B, Z), of a posterior that does not depend on a context.
        z: (B, Z), the draw behind ``nll``, of such a posterior; mutual information is made of the two.
        nll_prior: (B,), reconstruction with z from the prior.
    """

    nll: Tensor
    kl: Tensor | None
    bound: Tensor | None
    posterior_mean: Tensor | None = None
    group: Tensor | None = None
    condition: Tensor | None = None
    end: Tensor | None = None
    kl_units: Tensor | None = None
    group_nats: Tensor | None = None
    posterior_log_variance: Tensor | None = None
    z: Tensor | None = None
    nll_prior: Tensor | None = None


def check_nll(lowest: float, model: nn.Module) -> None:
    """Refuse a negative log-likelihood below 0, which no distribution of words has.

    Args:
        lowest: the lowest of all examples, nats.
    Raises:
        PipelineError: it is below 0, as where a sign is wrong; its perplexity would be the best of all.
    """
    if lowest < -_ROUNDING:
        raise PipelineError(
            f"{type(model).__name__} tells a negative log-likelihood of {lowest:.4g} nats",
            where=f"{inspect.getfile(type(model))}, `nll` of likelihood()",
            expected="0 or more: the probability of a text is at most 1",
            remedy="return -log p(response | context), summed over the tokens of the response, and train again",
        )


class Generated(NamedTuple):
    """Responses as (B, T) int64, ended by the end token where it was reached, and the group each was made with."""

    tokens: Tensor
    group: Tensor | None = None


class Trial(NamedTuple):
    """Responses that a validation tries: their words, and by name (B,) measures of them, of which means are recorded.

    Their lengths, 0 for an empty response, and distinct-2 are recorded beside.
    """

    words: Tokens
    measures: dict[str, Tensor]


def given(value: T | None) -> T:
    """Return a value that is never None here."""
    assert value is not None
    return value


def needed(value: T | None, field: str) -> T:
    """Return a field of a batch without which the system cannot work.

    Args:
        field: its name.
    Raises:
        PipelineError: the corpus has no contexts, or `reads:` of the system lacks the field.
    """
    if value is not None:
        return value
    if field == "context":
        raise PipelineError(
            "the system needs the field 'context' of its examples, and the corpus has none",
            where="sources: of the corpus",
            expected="a corpus of contexts and responses",
            remedy="leave the row out of tables on this corpus",
        )
    raise PipelineError(
        f"the system needs the field {field!r} of its examples, and is given none",
        where=f"systems.<name>.reads.{field}",
        expected="the file that holds it",
        remedy="name the file, as a system of the same class does in papers/*/paper.yaml",
    )


class System(nn.Module, ABC):
    """Base of every trained system; subclasses say how a response depends on its context.

    Args:
        units: what the system reads and writes.
        network: sizes.
        options: the system's own options, an instance of its ``Options``.
    """

    class Options(Settings):
        """Options of the configuration's ``systems.<name>.options``."""

    Network: ClassVar[type[Sizes]] = Recurrent  # the sizes that the system is built from
    selections: ClassVar[tuple[str, ...]] = ("none",)
    draws = True  # false: a response depends on its context alone, unless its words are drawn
    config: dict[str, Any] | None = None  # of a folder of weights; kept beside the trained ones
    apart = ""  # of `schemas.responses.APART`: why the system competes with no other; empty: it does

    def __init__(self, units: Units, network: Sizes, options: Settings) -> None:
        super().__init__()
        self.ids, self.vocabulary_size = units.ids, len(units)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def initialise(self, spread: float) -> None:
        """Draw all parameters from U(-spread, spread), but `given_parameters` and `undrawn_parameters`."""
        kept = {*self.given_parameters(), *self.undrawn_parameters()}
        for parameter in self.parameters():
            if parameter not in kept:
                nn.init.uniform_(parameter, -spread, spread)

    def given_parameters(self) -> Iterable[Tensor]:
        """Return the parameters whose values were learnt elsewhere, such as given word vectors; here none."""
        return ()

    def undrawn_parameters(self) -> Iterable[Tensor]:
        """Return the parameters that `initialise` leaves as they are: here scales and shifts of normalisation."""
        norms = (module for module in self.modules() if isinstance(module, nn.LayerNorm | nn.BatchNorm1d))
        return [parameter for norm in norms for parameter in norm.parameters()]

    def phases(self) -> Sequence[Phase]:
        """Return the parts of training in the order of a round; by default one, which owns all parameters.

        A parameter that no phase shall train (of a frozen reference model) takes no gradient: `requires_grad_(False)`.
        """
        return [Phase("all", list(self.parameters()), self.objective)]

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Load another system's weights to begin with; by default all, whose names and shapes must agree.

        A system that takes a part of them, or takes them under other names, overrides this.

        Raises:
            RuntimeError: torch's list of what is missing, unexpected or of another shape.
        """
        self.load_state_dict(weights)

    @abstractmethod
    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Return the training loss; ``weight`` in [0, 1] is the annealed weight of the KL term."""

    @abstractmethod
    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        """Measure how likely the references are, with un-annealed terms."""

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor | None:
        """Estimate -log p(response | context), nats, (B,), by importance weighting; None where there is none."""
        return None

    def trial(self, batch: Batch, generator: torch.Generator) -> Trial | None:
        """Respond to each context and measure the responses, for the records of validations; None: nothing is tried."""
        return None

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor | None:
        """Measure what reconstruction loses when z comes from the posterior of another response to the same context.

        Args:
            others: a response of another example for each of ``batch``.
        Returns:
            (B,) nats, -log p(response | z', context) + log p(response | z, context), both with the same noise; None
            for a system without a latent variable.
        """
        return None

    def closeness(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Compare responses with their contexts, as `decoding.candidates` chooses one of several.

        Args:
            tokens: (B * K, T) int64, K responses for each example.
        Returns:
            (B, K), larger is closer; an empty response has minus infinity.
        Raises:
            PipelineError: the system has no such measure.
        """
        raise PipelineError(
            f"{type(self).__name__} cannot tell which of several responses is closest to its context",
            where="decoding.candidates",
            expected="1 for this system, or a system that implements `closeness`",
            remedy="set `candidates: 1` in the system's `decoding:`",
        )

    @abstractmethod
    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Respond to each context; ``selection`` is one of ``selections``.

        Only `oracle` looks at the reference: its group is in ``batch.group``, as `likelihood` found it.
        """

    def generate_samples(
        self, batch: Batch, strategy: Strategy, selection: str, generators: Sequence[torch.Generator]
    ) -> list[Generated]:
        """Respond to each context once with each of ``generators``, each time as `generate` does.

        A system whose contexts take long to encode overrides this: it encodes them once and decodes all rows together.
        """
        return [self.generate(batch, strategy([own]), selection, own) for own in generators]


class WordVectorSystem(System):
    """A system that reads frozen word vectors, (V, E) float32 in the buffer ``embeddings``; padding is zero."""

    def __init__(self, units: Units, network: Sizes, options: Settings) -> None:
        super().__init__(units, network, options)
        if units.embeddings is None:
            raise PipelineError(
                f"{type(self).__name__} reads word vectors, and what it is given has none",
                where="units:, embeddings: and filtering.known of the corpus",
                expected="words with a vector each (filtering.known: vectors)",
                remedy="give the corpus vectors and the system words, or take one that learns its own embeddings",
            )
        self.embeddings: Tensor
        self.register_buffer("embeddings", torch.from_numpy(units.embeddings.copy()), persistent=False)

    @property
    def embedding_size(self) -> int:
        return self.embeddings.shape[1]

    def embed(self, tokens: Tensor) -> Tensor:
        """Embed (...) ids as (..., E)."""
        return nn.functional.embedding(tokens, self.embeddings)


def create(
    path: str, options: dict[str, Any], units: Units, network: Sizes, config: dict[str, Any] | None = None
) -> System:
    """Build the model that a configuration entry names as ``module:Class``, initialised from torch's current seed.

    Args:
        config: `System.config` of a trained model, whose weights are to be loaded: no folder of weights is read.
    Raises:
        PipelineError: no such module or class, options that it does not know, or sizes of another kind of network.
    """
    module, _, name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
        if not (isinstance(kind, type) and issubclass(kind, System)):
            raise ImportError(f"{name} is not a System")
    except (ImportError, AttributeError) as error:
        raise PipelineError(
            f"no model {path!r}: {error}",
            where="systems.<name>.model",
            expected="an importable module:Class, for example pipeline_lib.models.cvae:CVAE",
            remedy="correct the entry, or put the module's folder on PYTHONPATH",
        ) from error
    try:
        checked = kind.Options.model_validate(options, context=config)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise PipelineError(
            f"option {key!r} of {path}: {first['msg']}",
            where="systems.<name>.options",
            expected=did_you_mean(key, list(kind.Options.model_fields)),
            remedy="correct the option",
        ) from None
    if not isinstance(network, kind.Network):
        raise PipelineError(
            f"{path} is built from sizes of a {kind.Network.__name__} network, not of a {type(network).__name__} one",
            where="network: of the configuration",
            expected=f"the keys of {kind.Network.__name__} (config/README.md)",
            remedy="give the system a `network:` of its own",
        )
    model: System = kind(units, network, checked)
    if network.initial_range is not None:
        model.initialise(network.initial_range)
    return model
