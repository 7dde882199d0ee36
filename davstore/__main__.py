"""`python -m davstore` is the `davstore` command."""

from davstore.cli import main

main(prog_name="davstore")
