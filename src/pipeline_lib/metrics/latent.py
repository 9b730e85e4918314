"""When a latent variable counts as used; apart from the metrics, so that training does not depend on them."""

COLLAPSED = 0.1  # nats per example: below this KL the posterior has collapsed onto the prior
ACTIVE_VARIANCE = 0.01  # a latent unit is active if the variance of its posterior mean over examples exceeds this
