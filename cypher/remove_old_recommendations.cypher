// Remove batches that are older than the hit window, but never a user's newest. Parameters: userIds, before (as text)
UNWIND $userIds AS userId
MATCH (user:User {userId: userId})
CALL (user) {
  MATCH (user)-[newest:RECOMMENDED]->()
  RETURN max(newest.at) AS newest
}
MATCH (user)-[old:RECOMMENDED]->()
WHERE old.at < localdatetime($before) AND old.at < newest
DELETE old
