"""How the store's tables came to be, step by step; `trials.database` runs what a database does not have yet."""
