"""Policies over held-out frames: batched, resumable, on this machine or through Ray; recorded predictions come out."""
