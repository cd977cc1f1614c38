"""``python -m hodor``: what ``torchrun`` starts as ``torchrun ... -m hodor train ...``."""

from hodor.cli import main

main()
