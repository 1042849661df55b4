"""`recognizer assets`: downloads the files that the project needs but does not ship."""

from collections.abc import Sequence

from recognizer.commands.options import Parser
from recognizer.registry import assets


def run(args: Sequence[str]) -> int:
    """Download the missing assets and print the path of each. Raises AssetError."""
    Parser(
        "assets",
        f"Download missing files: {', '.join(asset.file for asset in assets.ASSETS.values())}.",
        epilog="The files are stored in the folder RECOGNIZER_ASSETS, else in models/assets/.",
    ).parse_args(args)
    for name in assets.ASSETS:
        print(f"{name}: {assets.fetch_asset(name)}")
    return 0
