// How a movie was rated. Parameters: movieId, most (ratings that are counted at most: few movies have more)
// Returns: rating, year, count
MATCH (:Movie {movieId: $movieId})<-[rated:RATED]-()
WITH rated LIMIT $most
RETURN rated.rating AS rating, rated.at.year AS year, count(*) AS count
ORDER BY rating, year
