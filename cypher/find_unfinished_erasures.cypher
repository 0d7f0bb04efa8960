// Users who are to be forgotten and may still have edges. Parameters: before (erased by then). Returns: userId
MATCH (erased:Erased)
WHERE erased.removedAt IS NULL AND erased.at <= $before
RETURN erased.userId AS userId
ORDER BY userId
