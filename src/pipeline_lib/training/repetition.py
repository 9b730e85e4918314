"""Updates of a phase that are repeated within a round, and when that ends (He et al. 2019, algorithm 1)."""

from dataclasses import dataclass, field

from pipeline_lib.models.system import Repeated


@dataclass
class Repetition:
    """Whether phases still repeat their updates; a part of the checkpoint.

    Attributes:
        ended: phases that make the updates of the settings from now on.
        last: phase -> the value that has to rise, at the last validation.
    """

    ended: list[str] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)

    def consider(self, phase: str, repeated: Repeated, values: dict[str, float]) -> None:
        """Take note of a validation: the repetition of ``phase`` ends where its value has fallen."""
        value = values[repeated.while_rising]
        if value < self.last.get(phase, value) and phase not in self.ended:
            self.ended.append(phase)
        self.last[phase] = value


class Falling:
    """Tells, update by update of one round, whether the loss of a phase still falls."""

    def __init__(self, repeated: Repeated) -> None:
        self._settings = repeated
        self._updates = 0
        self._nats = self._tokens = 0.0  # of the window so far
        self._before = float("inf")  # mean of the window before

    def goes_on(self, nats: float, tokens: int) -> bool:
        """Take note of an update on a batch of so many nats and tokens, and return whether to make another."""
        self._updates += 1
        self._nats, self._tokens = self._nats + nats, self._tokens + tokens
        if self._updates % self._settings.window == 0:
            mean = self._nats / self._tokens
            if not mean < self._before:
                return False
            self._before, self._nats, self._tokens = mean, 0.0, 0.0
        return self._updates < self._settings.most
