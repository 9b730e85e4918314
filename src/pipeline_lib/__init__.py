"""Response generators with latent variables, reproduced and compared: everything the workflow's scripts call."""
