"""Predicted against given stars, drawn from the figures on standard input.

`python -m engine evaluate --protocol stars --json | python -m scripts.plot_calibration FILE.svg`
"""

import json
import sys
from pathlib import Path

import click
import matplotlib as mpl
from matplotlib.figure import Figure

mpl.rcParams["svg.hashsalt"] = "the same figures make the same file"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def main(file: Path) -> None:
    """Draw what `python -m engine evaluate --protocol stars --json` prints."""
    points = json.load(sys.stdin)["calibration"]
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    predicted, given, half_widths = ([point[name] for point in points] for name in ("predicted", "given", "halfWidth"))
    low, high = min(predicted + given) - 0.2, max(predicted + given) + 0.2
    axes.plot([low, high], [low, high], color="#999", linewidth=1, label="as predicted")
    axes.errorbar(predicted, given, half_widths, fmt="o", color="#b3261e", markersize=4, label="a tenth of the ratings")
    axes.set(xlabel="predicted stars", ylabel="stars given (mean)", xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.legend(frameon=False)
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main(prog_name="python -m scripts.plot_calibration")
