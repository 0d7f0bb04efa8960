"""Progress bars: rate and remaining time of each stage, on stderr, only where somebody watches."""

from typing import NoReturn

from tqdm import tqdm


def progress_bar(description: str, total: int, unit: str, *, quiet: bool) -> "tqdm[NoReturn]":
    """A bar that counts up to `total` units; silent if asked, and where stderr is no terminal."""
    return tqdm(total=total, unit=unit, unit_scale=True, desc=description, disable=quiet or None, dynamic_ncols=True)
