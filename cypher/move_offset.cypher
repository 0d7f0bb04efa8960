// Remember how far a partition is applied; never less than before. Parameters: source, partition, offset, sequence
MATCH (position:IngestOffset {source: $source, partition: $partition})
SET position.offset = CASE WHEN position.offset > $offset THEN position.offset ELSE $offset END,
    position.sequence = CASE WHEN position.sequence > $sequence THEN position.sequence ELSE $sequence END
