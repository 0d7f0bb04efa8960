// Movies by title, also those that are not available. Parameters: search (a Lucene query, see graph.repositories.movies), offset, limit
// Returns: movieId, title, year, score (Lucene's, raised a little by the number of ratings), available
CALL db.index.fulltext.queryNodes('movie_title', $search) YIELD node AS movie, score
WHERE movie.title IS NOT NULL // the index may still know a title that has just gone
WITH movie, score * (1 + 0.05 * log(1 + coalesce(movie.ratingCount, 0))) AS score
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, score,
       coalesce(movie.available, true) AS available
ORDER BY score DESC, movieId
SKIP $offset LIMIT $limit
