// Remember how far a partition is applied. Parameters: source, partition, offset, sequence
MATCH (position:IngestOffset {source: $source, partition: $partition})
SET position.offset = $offset, position.sequence = $sequence
