// Remove an erased user who has no edges left, and what was taken back of the feed's viewings, whose ids name the user.
// Parameters: userId, at, sequence
MATCH (erased:Erased {userId: $userId})
SET erased.removedAt = $at, erased.sequence = $sequence
WITH 'feed:' + toString($userId) + ':' AS own
CALL (own) {
  MATCH (undone:Undone)
  WHERE undone.eventId STARTS WITH own
  DELETE undone
}
CALL () {
  MATCH (user:User {userId: $userId})
  DETACH DELETE user
}
