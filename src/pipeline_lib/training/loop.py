"""The training loop: it reads top to bottom, can be killed anywhere, and goes on where its last checkpoint stood."""

import itertools
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.precision import forward_pass, products
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.compute.sharing import Share, holding, mean
from pipeline_lib.config.training import LAST, Training
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.system import Objective, System
from pipeline_lib.stage.progress import ProgressBar
from pipeline_lib.training import checkpoint, schedules
from pipeline_lib.training.checkpoint import Progress
from pipeline_lib.training.history import History
from pipeline_lib.training.phases import TrainedPhase, check_rounds, rounds_until, trained_phases
from pipeline_lib.training.repetition import Falling
from pipeline_lib.training.selection import FALLBACK
from pipeline_lib.training.validation import validate

_LOG_EVERY = 20  # rounds between training records


class InterruptedTraining(Exception):  # noqa: N818 -- no error: the job was asked to stop
    """The job was asked to stop (SIGTERM); its checkpoint is on disk."""


class Outcome(NamedTuple):
    """Weights at the best validation, the records as JSON lines (of rank 0), and what a job's summary tells."""

    weights: dict[str, Tensor]
    history: str
    summary: dict[str, Any]


class Trainer:
    """One training job: round after round, each of the system's phases makes its updates.

    Every update has a batch and noise of its own, both functions of the seed and of how many there were before.

    Args:
        model: on its device, initialised from the seed.
        train, validation: encoded examples.
        settings: the training section.
        seed: decides batch order and noise; with the counters it decides them completely, so resuming needs no
            generator state.
        state: folder for checkpoints and history; named by everything that defines the run (see `training.state`).
        tensorboard: folder for TensorBoard events.
        ranks: the processes among which the job is shared, joined; how many they are changes nothing but the time.
    """

    def __init__(
        self,
        model: System,
        train: ExampleDataset,
        validation: ExampleDataset,
        settings: Training,
        seed: int,
        state: Path,
        tensorboard: Path,
        ranks: Ranks,
    ) -> None:
        self.model, self.validation, self.settings, self.seed = model, validation, settings, seed
        self.train_set, self.ranks = train, ranks
        self.device = model.device
        self.order = BatchOrder(train, settings.batch_size, settings.bucket_batches, seed)
        self.phases = trained_phases(model, settings)
        by_epochs = rounds_until(max(1, round(settings.epochs * self.order.steps_per_epoch)), self.phases)
        self.rounds = min(by_epochs, settings.max_steps or by_epochs)
        self._ended_by = "epochs" if self.rounds == by_epochs else "max_steps"
        check_rounds(self.phases, self.rounds, self._ended_by)
        self.state = state
        self.progress, self.best, recorded = Progress(), dict[str, Tensor](), ""
        if kept := checkpoint.newest(state):
            self.progress, self.best, recorded = checkpoint.load(kept, model, self._optimisers)
        if not ranks.all_equal(self.progress.round):
            raise PipelineError(
                f"one process of the job found the checkpoint of step {self.progress.round}, another a different one",
                where=state,
                expected="the same files seen from every node",
                remedy="run the same command again; if that does not help, check the file system that the nodes share",
            )
        self._check_selection()
        self.history_path = state / "history.jsonl"
        self.history: History | None = None
        if ranks.rank == 0:
            checkpoint.forget_newer(state, kept)
            self.history = History(self.history_path, recorded, tensorboard, self.progress.round)
        self._stop_asked = False

    @property
    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {phase.name: phase.optimiser for phase in self.phases}

    def _check_selection(self) -> None:
        """Validate on one example, to see before any training that what the settings select by is there.

        Raises:
            PipelineError: the system records no such value.
        """
        recorded = validate(self.model, self.validation, 1, self.seed, 1, self.ranks)
        needed = {} if self.settings.select == LAST else {self.settings.select: "select"}
        if self.settings.kl_floor is not None:
            needed |= {"kl": "kl_floor", FALLBACK: "kl_floor"}
        for name, key in needed.items():
            if name not in recorded:
                raise PipelineError(
                    f"validation of {type(self.model).__name__} gives no {name!r}, which `training.{key}` needs",
                    where=f"training.{key}",
                    expected=f"one of: {', '.join(recorded)}",
                    remedy=f"correct the setting ({did_you_mean(name, list(recorded))})",
                )

    def run(self) -> Outcome:
        """Train to the end.

        Raises:
            InterruptedTraining: SIGTERM arrived; everything done so far is in the checkpoint.
            PipelineError: the loss is not finite, or no validation was.
        """
        previous = signal.signal(signal.SIGTERM, self._ask_to_stop)
        self.model.train()
        try:
            shown = self.ranks.rank == 0
            with ProgressBar("training", self.rounds, "steps", self.progress.round, shown) as bar:
                while not self._has_ended():
                    self._one_round()
                    bar.advance(note=self._best_so_far())
                    if self.ranks.any(self._stop_asked):
                        self._save()
                        self.ranks.wait()  # the first to end has torchrun end the others
                        raise InterruptedTraining(
                            f"stopped at step {self.progress.round} of {self.rounds}; checkpoint written"
                        )
            self._check_validated()
            history = self.history.flush() if self.history else ""
            if self.history:
                checkpoint.finish(self.state, self.progress, self.best, history)
            return Outcome(self.best, history, self._summary())
        finally:
            signal.signal(signal.SIGTERM, previous)
            if self.history is not None:
                self.history.close()

    def _ask_to_stop(self, signal_number: int, frame: FrameType | None) -> None:
        self._stop_asked = True

    def _has_ended(self) -> bool:
        return self.progress.round == self.rounds or self.progress.selection.is_enough(self.settings)

    def _one_round(self) -> None:
        started, number = time.perf_counter(), self.progress.round
        weight = schedules.weight(self.settings.annealing, number, self.rounds)
        epoch = self.progress.drawn / self.order.steps_per_epoch
        values: dict[str, float] = {}
        targets = 0
        batch: Batch | None = None  # one object where phases share a batch: a system may keep what it found
        for phase in self.phases:
            if not phase.takes_part(number):
                continue
            repetition = self._repetition(phase)
            for update in itertools.count():
                if phase.fresh or update:
                    self.progress.drawn += 1
                if batch is None or phase.fresh or update:
                    rows = self.order.rows(max(0, self.progress.drawn - 1))
                    share = self.ranks.share(len(rows))
                    batch = self.train_set.batch(rows, share).to(self.device)
                objective, norm = self._update(phase, batch, share, weight, epoch)
                tokens = self.train_set.targets(rows)
                targets += tokens
                if not (repetition(objective, len(rows), tokens) if repetition else update + 1 < phase.updates):
                    break
            if number % _LOG_EVERY == 0:
                with holding(share):
                    logged = self.ranks.mean(_means(objective)) | {"gradient_norm": float(norm)}
                self._check_finite(logged, phase.name)
                values |= {self._prefixed(name, phase): value for name, value in logged.items()}
        self.progress.round += 1
        if number % _LOG_EVERY == 0:
            tokens_per_s = targets / (time.perf_counter() - started)
            self._record("train", number, values | {"weight": weight, "tokens_per_s": tokens_per_s})
        self.progress.seconds += time.perf_counter() - started
        if self.progress.round % self.settings.validate_every == 0 or self.progress.round == self.rounds:
            self._validate(weight)
        if self.progress.round % self.settings.checkpoint_every == 0:
            self._save()

    def _update(
        self, phase: TrainedPhase, batch: Batch, share: Share | None, weight: float, epoch: float
    ) -> tuple[Objective, Tensor]:
        noise = seeded(self.device, self.seed, self.progress.updates)
        with products(self.settings.precision):
            with holding(share), forward_pass(self.device, self.settings.precision):
                objective = phase.objective(batch, weight, noise)
            self.progress.updates += 1
            return objective, phase.update(objective.loss, epoch, self.ranks)

    def _repetition(self, phase: TrainedPhase) -> Callable[[Objective, int, int], bool] | None:
        """Return what tells after an update on so many examples and tokens whether to make another; None: the settings.

        All processes get the same answer.
        """
        if phase.repeated is None or phase.name in self.progress.repetition.ended:
            return None
        falling = Falling(phase.repeated)

        def goes_on(objective: Objective, examples: int, tokens: int) -> bool:
            loss = self.ranks.mean({"loss": float(objective.loss.detach())})["loss"]
            return falling.goes_on(loss * examples, tokens)

        return goes_on

    def _prefixed(self, name: str, phase: TrainedPhase) -> str:
        return name if len(self.phases) == 1 else f"{phase.name}/{name}"

    def _best_so_far(self) -> str:
        best = self.progress.selection
        if best.best_step < 0:
            return "not validated yet"
        return f"best {self.settings.select} {best.best_value:.2f} at {best.best_step}"

    def _record(self, kind: str, step: int, values: dict[str, float]) -> None:
        if self.history is not None:
            self.history.record(kind, step, values)

    def _check_finite(self, values: dict[str, float], phase: str) -> None:
        loss, norm = values["loss"], values["gradient_norm"]
        if not (math.isfinite(loss) and math.isfinite(norm)):
            of = "" if len(self.phases) == 1 else f" of the phase {phase}"
            raise PipelineError(
                f"the loss{of} is {loss} and the gradient norm {norm} at step {self.progress.round}",
                where=self.history_path,
                expected="finite numbers",
                remedy="lower `training.optimiser.learning_rate` or `training.optimiser.clip` for this system",
            )

    def _check_validated(self) -> None:
        if not self.best:
            raise PipelineError(
                f"no validation gave a finite {self.settings.select}",
                where=self.history_path,
                expected="one that did, whose weights are kept",
                remedy="lower `training.optimiser.learning_rate` or `network.initial_range` for this system",
            )

    def _validate(self, weight: float) -> None:
        settings, step = self.settings, self.progress.round
        limit = settings.validation_examples
        values = validate(self.model, self.validation, 2 * settings.batch_size, self.seed, limit, self.ranks)
        self._record("validation", step, values)
        for phase in self.phases:
            if phase.repeated is not None:
                self.progress.repetition.consider(phase.name, phase.repeated, values)
        if self.progress.selection.consider(step, values, weight, settings):
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _save(self) -> None:
        if self.history is None:  # another process of the job writes
            return
        history = self.history.flush()
        checkpoint.save(self.state, self.progress, self.model, self._optimisers, self.best, history)

    def _summary(self) -> dict[str, Any]:
        peak = torch.cuda.max_memory_allocated() if self.device.type == "cuda" else None
        progress, selection = self.progress, self.progress.selection
        return {
            "steps": progress.round,
            "updates": progress.updates,
            "epochs": progress.drawn / self.order.steps_per_epoch,
            "ended_by": "patience" if selection.is_enough(self.settings) else self._ended_by,
            "selected_by": self.settings.select if selection.counted else FALLBACK,
            "best_step": selection.best_step,
            "best_value": selection.best_value,
            "converged": not selection.falling,
            "collapsed": None if self.settings.kl_floor is None else not selection.counted,
            "seconds": round(progress.seconds, 3),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "device": str(self.device),
            "processes": self.ranks.number,
            "gpu_peak_bytes": peak,
        }


def _means(objective: Objective) -> dict[str, float]:
    """Return what to log of a step, averaged over the examples at hand."""
    means = {name: float(mean(value) if value.dim() else value) for name, value in objective.log.items()}
    return means | {"loss": float(objective.loss.detach())}
