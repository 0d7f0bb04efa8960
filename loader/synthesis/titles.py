"""Titles of movies that do not exist."""

from numpy.random import Generator

# fmt: off
ADJECTIVES = (
    "Last", "Silent", "Crimson", "Hidden", "Broken", "Golden", "Lonely", "Savage", "Perfect", "Frozen", "Wicked",
    "Gentle", "Burning", "Secret", "Distant", "Electric", "Forgotten", "Restless", "Velvet", "Hollow", "Brave",
    "Bitter", "Sleepless", "Invisible",
)
NOUNS = (
    "River", "Garden", "Stranger", "Horizon", "Detective", "Summer", "Empire", "Letter", "Highway", "Mirror",
    "Sister", "Winter", "Promise", "Island", "Orchestra", "Shadow", "Lighthouse", "Wedding", "Desert", "Machine",
    "Thief", "Café", "Fiancée", "Señorita", "Façade", "Doppelgänger", "Protégé", "Piñata",
)
NAMES = (
    "Amélie", "José", "Zoë", "Günter", "Inès", "Anna", "Henry", "Óscar", "Møller", "Walter", "Ruth", "Noël",
)
# fmt: on
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
