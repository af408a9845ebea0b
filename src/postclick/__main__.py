"""`python -m postclick` is the command `postclick`."""

from postclick.cli import main

if __name__ == "__main__":
    main()
