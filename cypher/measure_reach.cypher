// How far the stored recommendations reach into the catalogue, and how popular what they offer is.
// Parameters: since (lists that were made then or later), most (recommendations that are counted, the latest), groups
// Returns: group (from 1), movies, ratings, recommendedMovies, recommendations; the movies in groups of about the same size,
//   the most rated first
CALL () {
  MATCH (:User)-[offer:RECOMMENDED]->(movie:Movie)
  WHERE offer.at >= $since
  WITH movie, offer.at AS at
  ORDER BY at DESC
  LIMIT $most
  RETURN movie, count(*) AS offers
  UNION ALL
  MATCH (movie:Movie)
  RETURN movie, 0 AS offers
}
WITH movie, sum(offers) AS offers
ORDER BY coalesce(movie.ratingCount, 0) DESC, movie.movieId
WITH collect({ratings: coalesce(movie.ratingCount, 0), offers: offers}) AS rows
UNWIND range(1, $groups) AS group
WITH group, rows[size(rows) * (group - 1) / $groups .. size(rows) * group / $groups] AS part
RETURN group, size(part) AS movies, reduce(sum = 0, row IN part | sum + row.ratings) AS ratings,
       size([row IN part WHERE row.offers > 0]) AS recommendedMovies,
       reduce(sum = 0, row IN part | sum + row.offers) AS recommendations
ORDER BY group
