"""`python -m recognizer`."""

from recognizer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
