"""Human judgement: contexts drawn, systems blinded, sheets for raters, and Table 4 of what comes back."""
