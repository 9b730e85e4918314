"""The rule by which a latent variable counts as used; apart from the metrics, on which training must not depend."""

COLLAPSED = 0.1  # nats per example: below this KL the posterior has collapsed onto the prior
ACTIVE_NATS = 0.01  # a latent unit is active if its KL, averaged over examples, exceeds this
