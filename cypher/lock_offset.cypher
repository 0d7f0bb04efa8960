// Take the lock of one partition's offset, then read it. Parameters: source, partition
// Returns: offset (first record not applied yet), sequence
MERGE (offset:IngestOffset {source: $source, partition: $partition})
SET offset.locked = true // the write lock comes before the read
REMOVE offset.locked
RETURN coalesce(offset.offset, 0) AS offset, coalesce(offset.sequence, 0) AS sequence
