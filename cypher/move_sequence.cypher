// Give the batch being applied its number, and note whom it is about; old notes go.
// Parameters: value, userIds (null: everybody), keep (how many notes stay)
MATCH (sequence:Sequence {name: 'applied'})
SET sequence.value = $value
CREATE (:Change {sequence: $value, userIds: $userIds})
WITH $value - $keep AS oldest
MATCH (old:Change)
WHERE old.sequence <= oldest
DELETE old
