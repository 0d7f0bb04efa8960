"""From staged ratings and a fit to a database in the place of the one that serves."""
