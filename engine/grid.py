"""Walking a grid of parameters: far fewer tries than all of its points."""

from collections.abc import Callable, Iterator, Mapping

Grid = Mapping[str, tuple[float, ...]]
Parameters = Mapping[str, float]
Place = tuple[int, ...]


def walk_grid(grid: Grid, start: Parameters, criterion: Callable[[Parameters], float]) -> Parameters:
    """Parameters with the best criterion: from `start`, one parameter at a time, step by step, until none leads higher.

    Parameters that are in no grid stay.
    """
    known: dict[Place, float] = {}

    def measure(place: Place) -> float:
        if place not in known:
            known[place] = criterion({**start, **_parameters(grid, place)})
        return known[place]

    best = tuple(values.index(start[name]) for name, values in grid.items())
    while True:
        before = best
        for step in _steps(grid):
            while (following := _move(grid, best, step)) and measure(following) > measure(best):
                best = following
        if best == before:
            return {**start, **_parameters(grid, best)}


def _parameters(grid: Grid, place: Place) -> Parameters:
    return {name: values[at] for (name, values), at in zip(grid.items(), place, strict=True)}


def _steps(grid: Grid) -> Iterator[tuple[int, int]]:
    return ((position, by) for position in range(len(grid)) for by in (-1, 1))


def _move(grid: Grid, place: Place, step: tuple[int, int]) -> Place | None:
    """The place a step further, None beyond the grid."""
    position, by = step
    moved = (*place[:position], place[position] + by, *place[position + 1 :])
    return moved if 0 <= moved[position] < len(list(grid.values())[position]) else None
