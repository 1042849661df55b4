"""`recognizer assets`: downloads the files that the project needs but does not ship."""

from collections.abc import Sequence

from recognizer.commands.options import Parser
from recognizer.registry import assets


def run(args: Sequence[str]) -> int:
    """Download the missing assets and print the path of each. Raises AssetError."""
    parser = Parser(
        "assets",
        f"Download missing files: {', '.join(asset.file for asset in assets.ASSETS.values())}.",
        epilog="The files are stored in the folder RECOGNIZER_ASSETS, else in models/assets/.",
    )
    names = [*assets.ASSETS, *assets.EXPORT_ASSETS]
    needed_less = " and ".join(assets.EXPORT_ASSETS)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"one of {', '.join(names)} (default: all but {needed_less}, which only exports as a web page need)",
    )
    chosen = parser.parse_args(args).names
    for name in chosen:
        if name not in names:
            parser.error(f"There is no file {name!r}. Choose one of {', '.join(names)}")
    for name in chosen or assets.ASSETS:
        print(f"{name}: {assets.fetch_asset(name)}")
    return 0
