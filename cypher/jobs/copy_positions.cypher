// Take over how far another database has applied the event log.
// Parameters: sequence, positions [{source, partition, offset, sequence}]
MERGE (applied:Sequence {name: 'applied'})
SET applied.value = $sequence
MERGE (:Change {sequence: $sequence}) // about everybody
WITH applied
UNWIND $positions AS row
MERGE (position:IngestOffset {source: row.source, partition: row.partition})
SET position.offset = row.offset, position.sequence = row.sequence
