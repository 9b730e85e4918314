"""The phases of a training job at work: who owns which parameter, when a phase takes part, how it makes an update."""

import math
import warnings
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.training import Optimiser, PhaseSettings, Training
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.models.system import Phase, System
from pipeline_lib.training.optimisers import optimiser, step


class TrainedPhase:
    """A phase with its optimiser.

    Args:
        given: parameters that the system was given, whose learning rate may be their own.
    """

    def __init__(self, phase: Phase, settings: Optimiser, updates: int, given: Collection[Tensor] = ()) -> None:
        self.name, self.objective, self.fresh, self.updates = phase.name, phase.objective, phase.fresh, updates
        self.repeated = phase.repeated
        self.since, self.until = phase.since, phase.until
        self.parameters = [p for p in (*phase.parameters, *phase.shared, *phase.twice) if p.requires_grad]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "optimizer contains a parameter group with duplicate parameters")
            self.optimiser = optimiser(settings, self.parameters, given)
        self._settings = settings
        self._rates = [group["lr"] for group in self.optimiser.param_groups]  # at the beginning

    def takes_part(self, number: int) -> bool:
        """Return whether it makes its updates in the round of that number, 0-based."""
        return self.since <= number and (self.until is None or number < self.until)

    @property
    def batches(self) -> int:
        """How many batches it draws in a round in which it does not repeat its updates."""
        return self.updates - (not self.fresh)

    def rates(self, epoch: float) -> list[float]:
        """Return the learning rate of each group of parameters after ``epoch`` passes over the training split.

        A function of the epoch, without state.
        """
        decay = self._settings.decay
        left = 1.0 if decay is None else decay.factor ** math.floor(epoch / decay.epochs)
        return [rate * left for rate in self._rates]

    def update(self, loss: Tensor, epoch: float, ranks: Ranks) -> Tensor:
        """Make one step down the gradient of ``loss``, averaged over the processes.

        Returns:
            The norm of the gradient of all parameters, before it was clipped.
        """
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward(inputs=self.parameters)
        for parameter in self.parameters:
            if parameter.grad is None:  # an ablation may leave a network out; every process then still exchanges it
                parameter.grad = torch.zeros_like(parameter)
        ranks.average([parameter.grad for parameter in self.parameters if parameter.grad is not None])
        clip = math.inf if self._settings.clip is None else self._settings.clip
        norm = nn.utils.clip_grad_norm_(self.parameters, clip)
        for group, rate in zip(self.optimiser.param_groups, self.rates(epoch), strict=True):
            group["lr"] = rate
        step(self.optimiser)
        return norm


def trained_phases(system: System, settings: Training) -> list[TrainedPhase]:
    """Give every phase of ``system`` its optimiser.

    Raises:
        PipelineError: the settings name a phase that there is not, or a parameter is owned by no phase or by two.
    """
    phases = system.phases()
    check_owners(system, phases)
    names = [phase.name for phase in phases]
    for name in settings.phases:
        if name not in names:
            raise PipelineError(
                f"{type(system).__name__} has no phase {name!r}",
                where=f"training.phases.{name}",
                expected=did_you_mean(name, names),
                remedy="rename or remove the entry",
            )
    own = [settings.phases.get(name, PhaseSettings()) for name in names]
    given = set(system.given_parameters())
    return [
        TrainedPhase(phase, each.optimiser or settings.optimiser, each.updates, given)
        for phase, each in zip(phases, own, strict=True)
    ]


def check_owners(system: System, phases: Sequence[Phase]) -> None:
    """Check that every parameter that takes a gradient is owned by exactly one phase.

    Raises:
        PipelineError: names one that is not, and the phases.
    """
    owners: dict[int, list[str]] = {}
    for phase in phases:
        for parameter in phase.parameters:
            owners.setdefault(id(parameter), []).append(phase.name)
    named = {name: parameter for name, parameter in system.named_parameters() if parameter.requires_grad}
    known = {id(parameter) for parameter in system.parameters()}
    left_out = [name for name, parameter in named.items() if id(parameter) not in owners]
    doubled = {
        name: owners[id(parameter)] for name, parameter in named.items() if len(owners.get(id(parameter), ())) > 1
    }
    if left_out:
        raise _not_owned(
            system,
            phases,
            f"no phase trains the parameter {_and_more(left_out)}",
            "add it to a phase; if it is not to be trained, let it take no gradient (requires_grad_(False))",
        )
    if doubled:
        first, names = next(iter(doubled.items()))
        raise _not_owned(
            system,
            phases,
            f"the parameter {_and_more([first, *list(doubled)[1:]])} is in the phases {' and '.join(names)}",
            "leave it in one of them; where another updates it too, name it in that phase's `shared`",
        )
    for phase in phases:
        used = [id(parameter) for parameter in (*phase.parameters, *phase.shared)]
        if not known.issuperset(used) or len(set(used)) < len(used):
            raise _not_owned(
                system,
                phases,
                f"the phase {phase.name} has a parameter twice, or one that is not the system's",
                "correct its `parameters` and `shared`",
            )
    if len({phase.name for phase in phases}) < len(phases):
        raise _not_owned(system, phases, "two phases have the same name", "rename one")


def _not_owned(system: System, phases: Sequence[Phase], problem: str, remedy: str) -> PipelineError:
    kind = type(system)
    return PipelineError(
        problem,
        where=f"{kind.__module__}:{kind.__name__}.phases, which are: {', '.join(phase.name for phase in phases)}",
        expected="every parameter that takes a gradient in the `parameters` of exactly one phase",
        remedy=remedy,
    )


def _and_more(names: list[str]) -> str:
    return names[0] + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")


def rounds_until(batches: int, phases: Sequence[TrainedPhase]) -> int:
    """Count the rounds that draw ``batches`` batches, or that there are before all phases have ended."""
    edges = {edge for phase in phases for edge in (phase.since, phase.until) if edge}
    done = drawn = 0
    for edge in sorted(edges):
        each = _drawn_in(done, phases)
        if drawn + each * (edge - done) >= batches:
            break
        done, drawn = edge, drawn + each * (edge - done)
    each = _drawn_in(done, phases)
    return done + (math.ceil((batches - drawn) / each) if each else 0)


def check_rounds(phases: Sequence[TrainedPhase], rounds: int, ended_by: str) -> None:
    """Check that every phase begins before training has ended.

    Args:
        ended_by: the key of `training:` that says how many rounds there are.
    Raises:
        PipelineError: names a phase that would take part in no round.
    """
    for phase in phases:
        if phase.since >= rounds:
            raise PipelineError(
                f"the phase {phase.name} would take part in no round: it begins after {phase.since} rounds, and "
                f"training has {rounds}",
                where=f"training.{ended_by}",
                expected=f"more than {phase.since} rounds",
                remedy=f"raise `training.{ended_by}`, or lower the option of the system by which the phase begins "
                "(`systems.<name>.options`: `general`, `pretraining`)",
            )


def _drawn_in(number: int, phases: Sequence[TrainedPhase]) -> int:
    return sum(phase.batches for phase in phases if phase.takes_part(number))
