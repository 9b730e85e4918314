"""Response generators with latent variables, reproduced and compared: everything the workflow's scripts call."""

from pipeline_lib.stage import watch

watch.start()
