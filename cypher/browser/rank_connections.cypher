// 8 Most connected
// The movies with the most ratings and, beside them, how many other movies lead to them by SIMILAR. A node's edges of one
// kind are counted without being read.
// Parameters: none. Returns: title, year, ratings, viewings, similarIn, recommended (how often it stands on stored lists)
MATCH (movie:Movie)
WITH movie
ORDER BY movie.ratingCount DESC, movie.movieId
LIMIT 25
RETURN movie.title AS title, movie.year AS year,
       COUNT { (movie)<-[:RATED]-() } AS ratings,
       COUNT { (movie)<-[:WATCHED]-() } AS viewings,
       COUNT { (movie)<-[:SIMILAR]-() } AS similarIn,
       COUNT { (movie)<-[:RECOMMENDED]-() } AS recommended
ORDER BY ratings DESC, title
