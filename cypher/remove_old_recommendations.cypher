// Remove a user's batches that are older than the hit window, but never the newest. Parameters: userId, before
MATCH (user:User {userId: $userId})
CALL (user) {
  MATCH (user)-[newest:RECOMMENDED]->()
  RETURN max(newest.at) AS newest
}
MATCH (user)-[old:RECOMMENDED]->()
WHERE old.at < $before AND old.at < newest
DELETE old
