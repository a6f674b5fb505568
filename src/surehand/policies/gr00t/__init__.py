"""GR00T's ZeroMQ servers as policies, in the forms of its versions."""
