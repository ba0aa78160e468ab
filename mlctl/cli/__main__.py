"""`python -m mlctl.cli`: the same as the program `mlctl`."""

from mlctl.cli import main

main()
