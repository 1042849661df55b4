"""Words to a command, flags to objects, and what comes of it to an exit code."""

import os
import sys
from collections.abc import Sequence

from recognizer.commands.doctor import run_doctor
from recognizer.commands.image import run_image
from recognizer.commands.live import run_live
from recognizer.system.terminal import SOME_FAILED, exit_code_of, spell_what_cannot_be_shown


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for files that could not be read, 2 for an error, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if words is None else words)
    commands = {
        "image": run_image,
        "doctor": run_doctor,
        "new": run_new,
        "capture": run_capture,
        "samples": run_samples,
        "models": run_models,
        "serve": run_serve,
    }
    spell_what_cannot_be_shown()
    try:
        if words and words[0] in commands:
            return commands[words[0]](words[1:])
        return run_live(words)
    except BrokenPipeError:  # what reads the output, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except (Exception, KeyboardInterrupt) as error:
        return exit_code_of(error)


def run_new(words: Sequence[str]) -> int:
    from recognizer.commands import new

    return new.run_new(words)


def run_capture(words: Sequence[str]) -> int:
    from recognizer.commands import capture

    return capture.run_capture(words)


def run_samples(words: Sequence[str]) -> int:
    from recognizer.commands import samples

    return samples.run_samples(words)


def run_models(words: Sequence[str]) -> int:
    from recognizer.commands import models

    return models.run_models(words)


def run_serve(words: Sequence[str]) -> int:
    from recognizer.commands import serve

    return serve.run_serve(words)
