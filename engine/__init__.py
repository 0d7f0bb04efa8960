"""The learning: item–item weights from ratings, and how good they are."""
