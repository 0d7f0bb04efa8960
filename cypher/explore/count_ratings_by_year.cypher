// Ratings by the year they were given in, of so many users: all ratings may be a hundred million.
// Parameters: users. Returns: year, ratings, mean
MATCH (user:User)
WITH user
LIMIT $users
MATCH (user)-[rated:RATED]->(:Movie)
RETURN rated.at.year AS year, count(*) AS ratings, avg(rated.rating) AS mean
ORDER BY year
