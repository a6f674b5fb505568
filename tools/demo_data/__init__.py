"""How the embedded demo data were made: a kinematic mobile manipulator, a scripted demonstrator, a small learner."""
