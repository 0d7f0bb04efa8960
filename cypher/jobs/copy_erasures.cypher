// Take over which users are erased, as another database has it; of two erasures of a user the later counts. What they
// left here must be removed by whoever asks for this.
// Parameters: rows [{userId, at, liftedAt}] (moments as text; liftedAt may be null)
UNWIND $rows AS row
MERGE (erased:Erased {userId: row.userId})
WITH erased, localdatetime(row.at) AS at, localdatetime(row.liftedAt) AS liftedAt
WHERE erased.at IS NULL OR erased.at < at OR erased.at = at AND liftedAt IS NOT NULL
SET erased.at = at, erased.liftedAt = liftedAt, erased.removedAt = at
