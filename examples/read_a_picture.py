"""Print what a picture shows.

python -m examples.read_a_picture sheet.jpg
"""

import argparse

from recognizer import Recognizer, RecognizerError


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what a picture shows.")
    parser.add_argument("picture", help="a JPEG or PNG file")
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    options = parser.parse_args()

    reading = Recognizer(options.task).read(options.picture)
    print(reading.text or "no text recognized")
    for region in reading.regions:
        print(f"{region.label or 'rejected'} at {region.box}, {region.confidence:.0%} sure")


if __name__ == "__main__":
    try:
        main()
    except RecognizerError as error:  # one line: what happened, and what to do
        raise SystemExit(str(error)) from error
