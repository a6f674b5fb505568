"""Errors of checkpoints and rivals over held-out episodes, streamed into one record."""
