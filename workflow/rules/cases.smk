# Table 5: contradictory training contexts, contexts near them, and what every system answers.
