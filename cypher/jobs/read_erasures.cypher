// All users who are or were erased. Parameters: none. Returns: userId, at, liftedAt (may be null)
MATCH (erased:Erased)
RETURN erased.userId AS userId, erased.at AS at, erased.liftedAt AS liftedAt
ORDER BY userId
