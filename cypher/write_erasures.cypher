// Remember that users are to be forgotten, until that is lifted. One that is known already changes nothing.
// Parameters: rows [{userId, at}] by user (at as text), sequence. Returns: userIds, of those that were not known
UNWIND $rows AS row
MERGE (erased:Erased {userId: row.userId})
WITH erased, localdatetime(row.at) AS at
WHERE erased.at IS NULL OR coalesce(erased.liftedAt, erased.at) < at
SET erased.at = at, erased.sequence = $sequence
REMOVE erased.liftedAt, erased.removedAt
RETURN collect(erased.userId) AS userIds
