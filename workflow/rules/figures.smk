# Figures of the SepaCVAE paper and of training, each as SVG and PNG beside the CSV it was drawn from.
