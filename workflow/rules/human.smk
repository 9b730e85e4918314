# Rating sheets for human judges, and Table 4 from what they filled in.
