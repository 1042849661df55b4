"""Text for people."""


def one_line(reason: object) -> str:
    """The error's message on one line; its class name if it has no message."""
    return " ".join(str(reason).split()) or type(reason).__name__
