// Deleted movies that may still have edges from before. Parameters: before (deleted by then). Returns: movieId
MATCH (deleted:DeletedMovie)
WHERE deleted.removedAt IS NULL AND deleted.at <= $before
RETURN deleted.movieId AS movieId
ORDER BY movieId
