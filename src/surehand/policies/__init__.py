"""Policies: the protocol they share, and the trivial rivals every policy must beat."""
