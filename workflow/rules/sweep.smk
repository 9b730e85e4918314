# What one-to-many and many-to-one data do to each system, on generated corpora.
