# What trained systems make of pairs in latent space: posterior means, cosines within and between groups.
