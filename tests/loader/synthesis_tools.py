"""Synthesized folders, made and read line by line."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from loader.synthesis.generator import Size, synthesize

TRAINING = [f"combined_data_{number}.txt" for number in (1, 2, 3, 4)]

Rating = tuple[int, int, int, str]  # user, movie, stars, date


@dataclass(frozen=True)
class Made:
    """What a folder holds."""

    headers: list[int]
    ratings: list[Rating]
    titles: list[tuple[int, int | None, str]]
    probe: list[tuple[int, int]]  # user, movie

    def columns(self) -> pl.DataFrame:
        return pl.DataFrame(self.ratings, schema=["user", "movie", "stars", "date"], orient="row")


def make(folder: Path, size: Size, seed: int = 1) -> Path:
    synthesize(folder, size, seed, lambda _: None)
    return folder


def read(folder: Path) -> Made:
    headers, ratings, probe = [], [], []
    for name in TRAINING:
        for line in (folder / name).read_text(encoding="ascii").splitlines():
            if line.endswith(":"):
                headers.append(int(line[:-1]))
            else:
                user, stars, day = line.split(",")
                ratings.append((int(user), headers[-1], int(stars), day))
    movie = 0
    for line in (folder / "probe.txt").read_text(encoding="ascii").splitlines():
        if line.endswith(":"):
            movie = int(line[:-1])
        else:
            probe.append((int(line), movie))
    titles = []
    for line in (folder / "movie_titles.csv").read_text(encoding="latin-1").splitlines():
        key, year, title = line.split(",", 2)
        titles.append((int(key), None if year == "NULL" else int(year), title))
    return Made(headers, ratings, titles, probe)
