"""Trials on a robot: planned and sealed, recorded beside the robot, kept for good; the only room with a database."""
