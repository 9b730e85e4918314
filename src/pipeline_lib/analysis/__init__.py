"""What latent variables hold: measured on trained systems, and in closed form."""
