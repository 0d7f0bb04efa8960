// Ratings of the next users. Parameters: after (user id), users (how many)
// Returns: userId, movieIds, ratings, moments (milliseconds since 1970), eventIds ('' if bulk-loaded), all by movie
MATCH (user:User)
WHERE user.userId > $after
WITH user
ORDER BY user.userId
LIMIT $users
CALL (user) {
  MATCH (user)-[rated:RATED]->(movie:Movie)
  WITH rated, movie
  ORDER BY movie.movieId
  RETURN collect(movie.movieId) AS movieIds, collect(rated.rating) AS ratings,
         collect(datetime({datetime: rated.at, timezone: 'Z'}).epochMillis) AS moments,
         collect(coalesce(rated.eventId, '')) AS eventIds
}
RETURN user.userId AS userId, movieIds, ratings, moments, eventIds
ORDER BY userId
