// Which of some movies are or were deleted. Parameters: movieIds
// Returns: movieId, at (what happened until then stays out), lifted (whether the movie was put back since)
UNWIND $movieIds AS movieId
MATCH (deleted:DeletedMovie {movieId: movieId})
RETURN movieId, deleted.at AS at, coalesce(deleted.lifted, false) AS lifted
