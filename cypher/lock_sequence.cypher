// Take the lock that puts all writers in one order, then read the number of the last applied batch.
// Parameters: none. Returns: value, erasures (whether any user is or was erased), deletions (whether any movie is or was
//   deleted), undone (whether any event was taken back)
MERGE (sequence:Sequence {name: 'applied'})
SET sequence.locked = true // the write lock comes before the read
REMOVE sequence.locked
RETURN coalesce(sequence.value, 0) AS value, EXISTS { (:Erased) } AS erasures,
       EXISTS { (:DeletedMovie) } AS deletions,
       EXISTS { MATCH (undone:Undone) USING INDEX undone:Undone(eventId) WHERE undone.eventId > '' } AS undone
