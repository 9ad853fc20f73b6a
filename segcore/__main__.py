"""``python -m segcore``: the shell's entry point."""

from segcore.cli import main

if __name__ == "__main__":
    main()
