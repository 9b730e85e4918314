"""The training loop: it reads top to bottom, can be killed anywhere, and goes on where its last checkpoint stood."""

import math
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.precision import precise
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.compute.sharing import holding, mean
from pipeline_lib.config.training import Training
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.system import Objective, System
from pipeline_lib.stage.progress import ProgressBar as ProgressBar
from pipeline_lib.training import checkpoint
from pipeline_lib.training.checkpoint import Progress
from pipeline_lib.training.history import History
from pipeline_lib.training.schedules import linear
from pipeline_lib.training.validation import validate

_LOG_EVERY = 20  # steps between training records


class InterruptedTraining(Exception):  # noqa: N818 -- no error: the job was asked to stop
    """The job was asked to stop (SIGTERM); its checkpoint is on disk."""


class Outcome(NamedTuple):
    """Weights at the best validation, the records as JSON lines (of rank 0), and what a job's summary tells."""

    weights: dict[str, Tensor]
    history: str
    summary: dict[str, Any]


class Trainer:
    """One training job.

    Args:
        model: on its device, initialised from the seed.
        train, validation: encoded examples.
        settings: the training section.
        seed: decides batch order and noise; with the step it decides them completely, so resuming needs no generator
            state.
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
        self.optimiser = torch.optim.Adam(model.parameters(), settings.learning_rate, foreach=True)
        self.order = BatchOrder(train, settings.batch_size, settings.bucket_batches, seed)
        self.steps = min(round(settings.epochs * self.order.steps_per_epoch), settings.max_steps or 1 << 62)
        self.state = state
        self.progress, self.best, recorded = Progress(), dict[str, Tensor](), ""
        if kept := checkpoint.newest(state):
            self.progress, self.best, recorded = checkpoint.load(kept, model, self.optimiser)
        if not ranks.all_equal(self.progress.step):
            raise PipelineError(
                f"one process of the job found the checkpoint of step {self.progress.step}, another a different one",
                where=state,
                expected="the same files seen from every node",
                remedy="run the same command again; if that does not help, check the file system that the nodes share",
            )
        self.history_path = state / "history.jsonl"
        self.history: History | None = None
        if ranks.rank == 0:
            self.history = History(self.history_path, recorded, tensorboard, self.progress.step)
        self.objective = ranks.objective(model)
        self._stop_asked = False

    def run(self) -> Outcome:
        """Train to the end.

        Raises:
            InterruptedTraining: SIGTERM arrived; everything done so far is in the checkpoint.
            PipelineError: the loss is not finite.
        """
        previous = signal.signal(signal.SIGTERM, self._ask_to_stop)
        self.model.train()
        try:
            shown = self.ranks.rank == 0
            with ProgressBar("training", self.steps, "steps", self.progress.step, shown) as bar:
                while self.progress.step < self.steps:
                    self._one_step(bar)
                    if self.ranks.any(self._stop_asked):
                        self._save()
                        self.ranks.wait()  # the first to end has torchrun end the others
                        raise InterruptedTraining(
                            f"stopped at step {self.progress.step} of {self.steps}; checkpoint written"
                        )
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

    def _one_step(self, bar: ProgressBar) -> None:
        started, step = time.perf_counter(), self.progress.step
        rows = self.order.rows(step)
        share = self.ranks.share(len(rows))
        batch = self.train_set.batch(rows, share)
        weight = linear(step, self.settings.annealing_steps)
        with holding(share), precise(self.device, self.settings.precision):
            objective = self.objective(batch.to(self.device), weight, seeded(self.device, self.seed, step))
        self.optimiser.zero_grad()
        objective.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimiser.step()
        self.progress.step += 1
        if step % _LOG_EVERY == 0:
            with holding(share):
                values = self.ranks.mean(_means(objective)) | {"gradient_norm": float(norm), "weight": weight}
            values["tokens_per_s"] = self.train_set.targets(rows) / (time.perf_counter() - started)
            self._check_finite(values, step)
            self._record("train", step, values)
        self.progress.seconds += time.perf_counter() - started
        if self.progress.step % self.settings.validate_every == 0 or self.progress.step == self.steps:
            self._validate()
        if self.progress.step % self.settings.checkpoint_every == 0:
            self._save()
        bar.advance(note=f"best ppl {self.progress.best_value:.2f} at {self.progress.best_step}")

    def _record(self, kind: str, step: int, values: dict[str, float]) -> None:
        if self.history is not None:
            self.history.record(kind, step, values)

    def _check_finite(self, values: dict[str, float], step: int) -> None:
        loss, norm = values["loss"], values["gradient_norm"]
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise PipelineError(
                f"the loss is {loss} and the gradient norm {norm} at step {step}",
                where=self.history_path,
                expected="finite numbers",
                remedy="lower `training.learning_rate` or `training.clip` for this system",
            )

    def _validate(self) -> None:
        values = validate(
            self.model,
            self.validation,
            2 * self.settings.batch_size,
            self.seed,
            self.settings.validation_examples,
            self.ranks,
        )
        self._record("validation", self.progress.step, values)
        value = values["ppl" if self.settings.select == "reconstruction" else "ppl_bound"]
        if value < self.progress.best_value:
            self.progress.best_value, self.progress.best_step = value, self.progress.step
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _save(self) -> None:
        if self.history is None:  # another process of the job writes
            return
        history = self.history.flush()
        checkpoint.save(self.state, self.progress, self.model, self.optimiser, self.best, history)

    def _summary(self) -> dict[str, Any]:
        peak = torch.cuda.max_memory_allocated() if self.device.type == "cuda" else None
        return {
            "steps": self.progress.step,
            "epochs": self.progress.step / self.order.steps_per_epoch,
            "best_step": self.progress.best_step,
            "best_validation_ppl": self.progress.best_value,
            "selected_by": self.settings.select,
            "seconds": round(self.progress.seconds, 3),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "device": str(self.device),
            "processes": self.ranks.number,
            "gpu_peak_bytes": peak,
        }


def _means(objective: Objective) -> dict[str, float]:
    """What to log of a step, averaged over the examples at hand."""
    means = {name: float(mean(value) if value.dim() else value) for name, value in objective.log.items()}
    return means | {"loss": float(objective.loss.detach())}
