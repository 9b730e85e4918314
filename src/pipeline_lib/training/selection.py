"""The choice of the validation whose weights are kept, and of the one after which training ends."""

from dataclasses import dataclass

from pipeline_lib.config.training import LAST, Training
from pipeline_lib.training.schedules import ANNEALED

FALLBACK = "ppl_bound"  # selects where no validation has the KL that the settings ask for
_STILL_FALLING = 0.01  # a share of the value


@dataclass
class Selection:
    """The best validation so far; a part of the checkpoint.

    Attributes:
        best_step: steps done before it; -1: none yet.
        best_value: value of the setting ``select``, or of `FALLBACK` where no validation counted.
        counted: whether the best one counts: it reaches ``kl_floor``, or there is none.
        without_improvement: annealed validations in a row that were not better than the best.
        least_value: least value of ``select`` at any validation so far, counted or not.
        least_before: the same without the last validation.
        last_step: steps done before the last validation; -1: none yet.
        falling: whether the last validation was better by more than 1 % than all that were ``validate_every`` steps or
            more before it; so too the first. The one that ends a training may come sooner after its predecessor, and a
            few steps change little.
    """

    best_step: int = -1
    best_value: float = float("inf")
    counted: bool = False
    without_improvement: int = 0
    least_value: float = float("inf")
    least_before: float = float("inf")
    last_step: int = -1
    falling: bool = True

    def consider(self, step: int, values: dict[str, float], weight: float, settings: Training) -> bool:
        """Take note of a validation after ``step`` steps, the last of them annealed with ``weight``.

        Returns:
            Whether its weights are the best so far. A validation that counts is better than any that does not.
        """
        selected = values["ppl" if settings.select == LAST else settings.select]
        comes_early = self.last_step >= 0 and step - self.last_step < settings.validate_every
        least = self.least_before if comes_early else self.least_value
        self.falling = not least - selected <= _STILL_FALLING * abs(selected)  # so too where one is NaN
        self.least_before, self.least_value = self.least_value, min(self.least_value, selected)
        self.last_step = step
        counts = settings.kl_floor is None or (weight >= ANNEALED and values["kl"] >= settings.kl_floor)
        value = selected if counts else values[FALLBACK]
        limit = self.best_value if counts == self.counted else float("inf")
        better = counts >= self.counted and (value < limit or settings.select == LAST)
        if better:
            self.best_step, self.best_value, self.counted = step, value, counts
        self.without_improvement = 0 if better or weight < ANNEALED else self.without_improvement + 1
        return better

    def is_enough(self, settings: Training) -> bool:
        """Return whether the settings' patience is at its end."""
        return settings.patience is not None and self.without_improvement >= settings.patience
