"""A package that only lerobot can import is no test."""

collect_ignore = ["lerobot_policy_toy"]
