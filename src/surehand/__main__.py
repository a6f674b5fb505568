"""`python -m surehand`: the command line."""

from surehand.cli import main

main()
