"""`python -m serve` is the command `reelwarden`."""

from serve.cli import main

main()
