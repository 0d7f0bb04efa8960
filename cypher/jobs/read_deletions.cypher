// All movies that are or were deleted. Parameters: none. Returns: movieId, at (as text), lifted (whether it was put back since)
MATCH (deleted:DeletedMovie)
RETURN deleted.movieId AS movieId, toString(deleted.at) AS at, coalesce(deleted.lifted, false) AS lifted
ORDER BY movieId
