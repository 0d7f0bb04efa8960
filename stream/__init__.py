"""The live path: from the feed and the API to edges, and from finished movies to recommendations."""
