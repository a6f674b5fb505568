"""LeRobot checkpoints as policies, by an unmodified lerobot: files first, then the policy, its inputs, its noise."""
