// Let an erased user come back from now on; what happened before stays forgotten. Parameters: userId, at
// Returns: userId; no row if the user is not erased, or not all is removed yet
MATCH (erased:Erased {userId: $userId})
WHERE erased.liftedAt IS NULL AND erased.removedAt IS NOT NULL
SET erased.liftedAt = $at
RETURN erased.userId AS userId
