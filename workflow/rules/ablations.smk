# What each part of SepaCVAE contributes.
