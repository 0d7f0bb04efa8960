// Whether any movie that may be in a list is of a genre and of some years: much less work than to make a list of none.
// Parameters: genre, yearFrom, yearTo (each may be null)
// Returns: movieId (of one such movie; no row if there is none)
MATCH (movie:Movie)
WHERE ($genre IS NULL OR $genre IN movie.genres)
  AND ($yearFrom IS NULL OR movie.year >= $yearFrom)
  AND ($yearTo IS NULL OR movie.year <= $yearTo)
  AND movie.title IS NOT NULL
  AND coalesce(movie.available, true)
  AND movie.viewers > 0
RETURN movie.movieId AS movieId
LIMIT 1
