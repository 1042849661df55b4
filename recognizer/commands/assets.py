"""`recognizer assets`: fetches the files that the project needs and does not ship."""

from collections.abc import Sequence

from recognizer.commands.options import Parser
from recognizer.registry import assets


def run(args: Sequence[str]) -> int:
    """Fetch every asset that is missing and print where it is. Raises AssetError."""
    Parser(
        "assets",
        f"Fetch what is missing: {', '.join(asset.file for asset in assets.ASSETS.values())}.",
        epilog="It goes into the folder that RECOGNIZER_ASSETS names, else into models/assets/.",
    ).parse_args(args)
    for name in assets.ASSETS:
        print(f"{name}: {assets.fetch_asset(name)}")
    return 0
