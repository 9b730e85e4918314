"""RL-Persona, approximately: a personal Seq2Seq that is trained on by policy gradient (Yang et al. 2018).

Chan et al. (2019) do not say which of the three methods of Yang et al. they run. This is self-critical policy gradient
(Rennie et al. 2017) with three rewards, half and half with cross-entropy, after training by cross-entropy alone.
B examples, T steps, V vocabulary size.
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.sharing import drawn, gathered, mean, token_mean
from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.settings import Positive
from pipeline_lib.decoding.sampling import drawn_words
from pipeline_lib.decoding.steps import word_by_word, word_lengths
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.layers.attentive import AttentiveSteps
from pipeline_lib.models.layers.gru import GRU
from pipeline_lib.models.layers.recurrent import response_nll, valid_positions
from pipeline_lib.models.persona_seq2seq import AdaptedSeq2Seq, Beginning
from pipeline_lib.models.system import Objective, Phase, Trial, needed
from pipeline_lib.text.units import Units

REWARDS = ("context", "information", "language")
_KEPT = 0.99  # of a running statistic, at each update


class PolicySeq2Seq(AdaptedSeq2Seq):
    """Reads the words that the user is known by from the first round on; the last rounds seek rewards.

    The rewards of a response: the cosine of its mean word vector with that of the context; the mean inverse document
    frequency of its words in training responses; and its mean log-likelihood by a language model of these. Each is
    divided by its running standard deviation. The difference of a sampled and the greedy response weighs the gradient.
    """

    class Options(AdaptedSeq2Seq.Options):
        general: Positive = Field(default=700, description="rounds of cross-entropy alone")
        longest: Positive = Field(default=20, description="tokens after which a sampled response is cut off")

    def __init__(self, units: Units, network: Dialogue, options: Options) -> None:
        super().__init__(units, network, options)
        self.longest = options.longest
        self.language = LanguageModel(self.embedding_size, network.hidden, self.vocabulary_size)
        self.documents: Tensor
        self.moments: Tensor
        self.register_buffer("documents", torch.zeros(self.vocabulary_size + 1))  # the last counts all responses
        self.register_buffer("moments", torch.ones(len(REWARDS)))  # running variances

    def phases(self) -> Sequence[Phase]:
        own = list(self.language.parameters())
        others = [parameter for name, parameter in self.named_parameters() if not name.startswith("language.")]
        return [
            Phase("language", own, self.language_objective, until=self.general),
            Phase("supervised", others, self.objective, until=self.general, fresh=False),
            Phase("policy", [], self.policy_objective, since=self.general, shared=others),
        ]

    def language_objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Train the language model on the responses, and count in how many of them each word occurs."""
        response = batch.response
        nll = self.language(self.words(response.inputs).detach(), response.targets, response.lengths)
        words = torch.zeros(len(batch), self.vocabulary_size + 1, device=self.device).scatter_(1, response.targets, 1)
        words[:, -1] = 1
        self.documents += gathered(words).sum(0)
        return Objective(token_mean(nll, response.lengths), {"nll": nll.detach()})

    def policy_objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Average cross-entropy and the policy gradient's surrogate, both in nats a response.

        Reference, sampled and greedy responses follow the same encoding of the context.
        """
        beginning = self._begin(batch, generator)
        nll = self._nll_after(beginning, batch.response, generator)
        with torch.no_grad():
            sampled, greedy = self.respond(beginning, generator)
            reward, baseline = (self.rewards(batch, response) for response in (sampled, greedy))
            self.moments.lerp_(gathered(reward).var(0, unbiased=False), 1 - _KEPT)
            advantage = ((reward - baseline) / self.moments.sqrt().clamp(min=1e-6)).sum(1)
        log_p = -self._nll_after(beginning, sampled, generator)
        loss = 0.5 * mean(nll) + 0.5 * policy_loss(log_p, advantage)
        told = _by_name(reward)
        told["sampled_length"] = word_lengths(sampled.targets, self.ids).to(reward)
        return Objective(loss, {"nll": nll.detach()} | told)

    def trial(self, batch: Batch, generator: torch.Generator) -> Trial:
        """Respond greedily: what rewards do to responses shows in a comparison with those before they were sought."""
        _, greedy = self.respond(self._begin(batch, generator), generator)
        words = Tokens(greedy.targets, word_lengths(greedy.targets, self.ids))
        return Trial(words, _by_name(self.rewards(batch, greedy)))

    def respond(self, beginning: Beginning, generator: torch.Generator) -> tuple[Response, Response]:
        """Respond to each context by draws from the model, and greedily; what follows the end token is padding."""
        contexts = len(beginning.state)
        noise = drawn(lambda n: torch.rand((n, self.longest), generator=generator, device=self.device), contexts)

        def choose(logits: Tensor, position: int, rows: Tensor) -> Tensor:
            sampled = rows[rows < contexts]  # which come first
            words = drawn_words(logits[: len(sampled)], noise[sampled, position])
            return torch.cat([words, logits[len(sampled) :].argmax(-1)])

        steps = AttentiveSteps(self.decoder, self.words, *beginning.repeated(2))
        sampled, greedy = word_by_word(steps, self.ids, self.longest, choose).chunk(2)
        return self._response(sampled), self._response(greedy)

    def _response(self, targets: Tensor) -> Response:
        """Say of words (B, T) what was read before each."""
        starts = torch.full((len(targets), 1), self.ids.start, device=self.device)
        lengths = (word_lengths(targets, self.ids) + 1).clamp(max=targets.shape[1])
        return Response(torch.cat([starts, targets[:, :-1]], 1), targets, lengths)

    def rewards(self, batch: Batch, response: Response) -> Tensor:
        """Return the three rewards of each response, (B, 3), of `REWARDS`; an empty one has no words to reward."""
        lengths = word_lengths(response.targets, self.ids)
        said = Tokens(response.targets, lengths)
        cosine = F.cosine_similarity(self._mean_vector(said), self._mean_vector(needed(batch.context, "context")), -1)
        inside = valid_positions(lengths, response.targets.shape[1])
        rarity = torch.log((self.documents[-1] + 1) / (self.documents[response.targets] + 1))
        information = (rarity * inside).sum(1) / lengths.clamp(min=1)
        nll = self.language(self.words(response.inputs), response.targets, response.lengths)
        return torch.stack([cosine, information, -nll / response.lengths], 1)

    def _mean_vector(self, tokens: Tokens) -> Tensor:
        inside = valid_positions(tokens.lengths, tokens.ids.shape[1]).unsqueeze(-1)
        return (self.words(tokens.ids) * inside).sum(1) / tokens.lengths.clamp(min=1).unsqueeze(1)


def _by_name(rewards: Tensor) -> dict[str, Tensor]:
    """Name (B, 3) rewards for the records."""
    return {f"reward_{name}": own for name, own in zip(REWARDS, rewards.unbind(1), strict=True)}


class LanguageModel(nn.Module):
    """A GRU over the words of a response, whatever its context."""

    def __init__(self, embedding: int, hidden: int, vocabulary_size: int) -> None:
        super().__init__()
        self.gru = GRU(embedding, hidden)
        self.output = nn.Linear(hidden, vocabulary_size)

    def forward(self, embedded: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """Return -log p(targets), nats, (B,), given (B, T, E) embedded previous words."""
        hidden, _ = self.gru(embedded)
        return response_nll(hidden, self.output, targets, lengths)


def policy_loss(log_p: Tensor, advantage: Tensor) -> Tensor:
    """Return what has the policy gradient: minus the mean of (B,) advantages times (B,) log p(response)."""
    return -mean(advantage * log_p)
