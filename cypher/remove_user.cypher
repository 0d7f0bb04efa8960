// Remove an erased user who has no edges left, and all that names the user: which events were taken back, also those whose
// ids were made of the user's, and the notes of whom batches were about.
// Parameters: userId, at, sequence
MATCH (erased:Erased {userId: $userId})
SET erased.removedAt = $at, erased.sequence = $sequence
WITH ['feed:' + toString($userId) + ':', 'api:' + toString($userId) + ':'] AS own
CALL (own) {
  UNWIND own AS beginning
  MATCH (undone:Undone)
  WHERE undone.eventId STARTS WITH beginning
  DELETE undone
}
CALL () {
  MATCH (undone:Undone {userId: $userId})
  DELETE undone
}
CALL () {
  MATCH (change:Change)
  USING INDEX change:Change(sequence)
  WHERE change.sequence > 0 AND $userId IN change.userIds
  SET change.userIds = [userId IN change.userIds WHERE userId <> $userId]
}
CALL () {
  MATCH (user:User {userId: $userId})
  DETACH DELETE user
}
