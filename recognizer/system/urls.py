"""URLs as users, files and logs may see them: without passwords."""

import re

URL = re.compile(r"[A-Za-z][\w+.-]+://.*", re.DOTALL)
URL_IN_TEXT = re.compile(r"[A-Za-z][\w+.-]+://\S+")
# the value of "password=…" and the like in a path: cheap cameras take it there
SECRET_VALUE = re.compile(r"((?:user|pass|pwd|token|secret|key|auth|sig|credential)[\w-]*=)[^&;/]*", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Whether the text is a URL and not a path."""
    return URL.fullmatch(text) is not None


def without_secrets(address: str) -> str:
    """A URL without user, password, query and fragment. A path is returned unchanged.

    A password may contain "/", "?" and "#", so everything up to the last "@" is left out, even if that is in the path.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    place = re.split(r"[?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}://" + SECRET_VALUE.sub(r"\1…", place)


def text_without_secrets(text: str) -> str:
    """A text, such as an error or a command line, with `without_secrets` applied to each URL in it."""
    return URL_IN_TEXT.sub(lambda found: without_secrets(found[0]), text)
