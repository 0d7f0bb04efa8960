// Go on numbering behind what consumers may have seen already. Parameters: value. Returns: nothing
MERGE (applied:Sequence {name: 'applied'})
SET applied.value = CASE WHEN applied.value > $value THEN applied.value ELSE $value END
MERGE (change:Change {sequence: applied.value})
SET change.userIds = null // about everybody
