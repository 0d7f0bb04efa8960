// One statement a line. A title of which nothing can be seen is none (graph/titles.py).
MATCH (movie:Movie) WHERE movie.title =~ '[\\s\\p{Z}\\p{C}]*' REMOVE movie.title
