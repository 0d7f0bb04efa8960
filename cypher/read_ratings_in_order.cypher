// Ratings of some users, the earliest first. Parameters: userIds. Returns: userId, movieId, title, year
UNWIND $userIds AS userId
MATCH (:User {userId: userId})-[rated:RATED]->(movie:Movie)
RETURN userId, movie.movieId AS movieId, movie.title AS title, movie.year AS year
ORDER BY rated.at, userId, movieId
