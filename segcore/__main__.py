"""``python -m segcore``: the shell door."""

from segcore.cli import main

if __name__ == "__main__":
    main()
