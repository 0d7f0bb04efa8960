// Write bulk ratings that are newer than what is stored, and keep the movies' statistics true; of equals what came live
// stays. Parameters: rows [[userId, movieId, rating, at (milliseconds since 1970)]] by user and movie, each pair once
// Returns: written
UNWIND $rows AS row
WITH row, localdatetime(datetime({epochMillis: row[3]})) AS at // packing temporal parameters takes twice the rest's time
MATCH (user:User {userId: row[0]})
MATCH (movie:Movie {movieId: row[1]})
MERGE (user)-[rated:RATED]->(movie)
WITH row, at, movie, rated, rated.rating AS before
WHERE rated.at IS NULL OR rated.at < at OR (rated.at = at AND rated.eventId IS NULL)
SET rated.rating = row[2], rated.at = at, rated.eventId = null
WITH movie, count(*) AS written, count(*) - count(before) AS added, sum(row[2] - coalesce(before, 0)) AS stars
WITH movie, written, added, stars, coalesce(movie.ratingCount, 0) AS ratings
SET movie.ratingMean = (coalesce(movie.ratingMean, 0) * ratings + stars) / (ratings + added),
    movie.ratingCount = ratings + added
RETURN sum(written) AS written
