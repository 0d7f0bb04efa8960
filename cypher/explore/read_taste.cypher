// What a user rated by genre, or by decade for movies whose genres are not known.
// Parameters: userId. Returns: kind (a genre or a decade), ratings, mean; most ratings first
MATCH (:User {userId: $userId})-[rated:RATED]->(movie:Movie)
UNWIND CASE
  WHEN size(coalesce(movie.genres, [])) > 0 THEN movie.genres
  WHEN movie.year IS NOT NULL THEN [toString(movie.year / 10 * 10) + 's']
  ELSE ['unknown']
END AS kind
RETURN kind, count(*) AS ratings, avg(rated.rating) AS mean
ORDER BY ratings DESC, kind
