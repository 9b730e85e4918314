"""The training loop: it reads top to bottom, can be killed anywhere, and goes on where its last checkpoint stood."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline_lib import storage
from pipeline_lib.config import Training
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.base import ResponseModel
from pipeline_lib.progress import Progress as ProgressBar
from pipeline_lib.training import checkpoint
from pipeline_lib.training.batches import BatchOrder, PairDataset
from pipeline_lib.training.checkpoint import Progress
from pipeline_lib.training.device import precise, seeded
from pipeline_lib.training.history import History
from pipeline_lib.training.schedules import linear
from pipeline_lib.training.validation import validate

_LOG_EVERY = 20  # steps between training records


class InterruptedTraining(Exception):  # noqa: N818 -- no error: the job was asked to stop
    """The job was asked to stop (SIGTERM); its checkpoint is on disk."""


class Outcome(NamedTuple):
    """Weights at the best validation, and what a job's summary tells."""

    weights: dict[str, Tensor]
    summary: dict[str, Any]


class Trainer:
    """One training job.

    Args:
        model: on its device, initialised from the seed.
        train, validation: encoded pairs.
        settings: the training section.
        seed: decides batch order and noise; with the step it decides them completely, so resuming needs no generator
            state.
        state: folder for checkpoint and history; named by everything that defines the run (see `run_folder`).
        tensorboard: folder for TensorBoard events.
    """

    def __init__(
        self,
        model: ResponseModel,
        train: PairDataset,
        validation: PairDataset,
        settings: Training,
        seed: int,
        state: Path,
        tensorboard: Path,
    ) -> None:
        self.model, self.validation, self.settings, self.seed = model, validation, settings, seed
        self.train_set = train
        self.device = model.embeddings.device
        self.optimiser = torch.optim.Adam(model.parameters(), settings.learning_rate, foreach=True)
        self.order = BatchOrder(train, settings.batch_size, settings.bucket_batches, seed)
        self.steps = min(round(settings.epochs * self.order.steps_per_epoch), settings.max_steps or 1 << 62)
        self.checkpoint_path = state / "checkpoint.safetensors"
        self.progress, self.best = Progress(), dict[str, Tensor]()
        if self.checkpoint_path.exists():
            self.progress, self.best = checkpoint.load(self.checkpoint_path, model, self.optimiser)
        self.history_path = state / "history.jsonl"
        self.history = History(self.history_path, self.progress.history_bytes, tensorboard, self.progress.step)
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
            with ProgressBar("training", self.steps, "steps", done=self.progress.step) as bar:
                while self.progress.step < self.steps:
                    self._one_step(bar)
                    if self._stop_asked:
                        self._save()
                        raise InterruptedTraining(
                            f"stopped at step {self.progress.step} of {self.steps}; checkpoint written"
                        )
        finally:
            signal.signal(signal.SIGTERM, previous)
            self.history.close()
        return Outcome(self.best, self._summary())

    def _ask_to_stop(self, signal_number: int, frame: FrameType | None) -> None:
        self._stop_asked = True

    def _one_step(self, bar: ProgressBar) -> None:
        started, step = time.perf_counter(), self.progress.step
        batch = self.train_set.batch(self.order.rows(step))
        tokens = int(batch.lengths.sum())
        weight = linear(step, self.settings.annealing_steps)
        with precise(self.device, self.settings.precision):
            objective = self.model.objective(batch.to(self.device), weight, seeded(self.device, self.seed, step))
        self.optimiser.zero_grad()
        objective.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimiser.step()
        self.progress.step += 1
        if step % _LOG_EVERY == 0:
            values = {name: float(value.mean()) for name, value in objective.log.items()}
            values |= {"loss": float(objective.loss.detach()), "gradient_norm": float(norm), "weight": weight}
            values["tokens_per_s"] = tokens / (time.perf_counter() - started)
            self._check_finite(values["loss"], norm, step)
            self.history.record("train", step, values)
        self.progress.seconds += time.perf_counter() - started
        if self.progress.step % self.settings.validate_every == 0 or self.progress.step == self.steps:
            self._validate()
        if self.progress.step % self.settings.checkpoint_every == 0:
            self._save()
        bar.advance(note=f"best ppl {self.progress.best_value:.2f} at {self.progress.best_step}")

    def _check_finite(self, loss: float, norm: Tensor, step: int) -> None:
        if not (loss == loss and abs(loss) != float("inf") and bool(torch.isfinite(norm))):
            raise PipelineError(
                f"the loss is {loss} and the gradient norm {float(norm)} at step {step}",
                where=self.history_path,
                expected="finite numbers",
                remedy="lower `training.learning_rate` or `training.clip` for this system",
            )

    def _validate(self) -> None:
        values = validate(
            self.model, self.validation, 2 * self.settings.batch_size, self.seed, self.settings.validation_pairs
        )
        self.history.record("validation", self.progress.step, values)
        value = values["ppl" if self.settings.select == "reconstruction" else "ppl_bound"]
        if value < self.progress.best_value:
            self.progress.best_value, self.progress.best_step = value, self.progress.step
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _save(self) -> None:
        self.progress.history_bytes = self.history.flush()
        checkpoint.save(self.checkpoint_path, self.progress, self.model, self.optimiser, self.best)

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
            "gpu_peak_bytes": peak,
        }


def run_folder(root: Path, *parts: str, files: list[Path]) -> Path:
    """Where a run keeps its state: a folder named by a hash of all that defines it.

    Snakemake deletes declared outputs before it starts a job again, so the state is not one; and since the name
    changes with every setting, input and line of code, a changed run can never pick up old weights.
    """
    import hashlib

    digest = hashlib.sha256("\n".join([*parts, torch.__version__, *map(storage.sha256, files)]).encode())
    return root / digest.hexdigest()[:16]
