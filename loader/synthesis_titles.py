"""Titles of movies that do not exist."""

from numpy.random import Generator

ADJECTIVES = (
    "Last Silent Crimson Hidden Broken Golden Lonely Savage Perfect Frozen Wicked Gentle Burning Secret Distant Electric "
    "Midnight Forgotten Restless Velvet Hollow Brave Bitter Sleepless Invisible Wild"
).split()
NOUNS = (
    "River Garden Stranger Horizon Detective Summer Empire Letter Highway Mirror Sister Winter Promise Island Orchestra "
    "Harbor Shadow Lighthouse Wedding Desert Machine Thief Kingdom Café Fiancée Señorita Façade Déjà-Vu Doppelgänger "
    "Protégé Naïveté Crème Brûlée Piñata Rendezvous"
).split()
NAMES = "Amélie José Zoë Günter Björn Inès Anna Henry Clara Óscar Møller Chloé Walter Ruth Noël Iris".split()
PATTERNS = (
    "The {adjective} {noun}",
    "{adjective} {noun}",
    "{name} and the {noun}",
    "{name}'s {adjective} {noun}",
    "{noun}, {other} and {name}",  # commas are not quoted
    "{name}, {adjective} {noun}",
    "{noun} of the {other}",
    "{adjective} {noun}: Season {number}",
    "The {noun} {number}",
    "{name}: The {adjective} {noun}, Part {number}",
)


def make_titles(random: Generator, count: int) -> list[str]:
    """Titles as Netflix wrote them; some have commas, some letters beyond ASCII, all fit latin-1."""
    columns = {
        "adjective": random.choice(ADJECTIVES, count).tolist(),
        "noun": random.choice(NOUNS, count).tolist(),
        "other": random.choice(NOUNS, count).tolist(),
        "name": random.choice(NAMES, count).tolist(),
        "number": random.integers(1, 8, count).tolist(),
    }
    patterns = random.choice(PATTERNS, count).tolist()
    return [
        pattern.format(**dict(zip(columns, words, strict=True)))
        for pattern, words in zip(patterns, zip(*columns.values(), strict=True), strict=True)
    ]
