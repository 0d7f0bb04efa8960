// When the first list was made that a follower of the sequence has not come to. Parameters: source (the follower)
// Returns: at; no row if there is none
MATCH (position:IngestOffset {source: $source, partition: 0})
CALL (position) {
  MATCH (:User)-[waiting:RECOMMENDED]->(:Movie)
  USING INDEX waiting:RECOMMENDED(sequence)
  WHERE waiting.sequence > position.sequence
  RETURN waiting.at AS at
  ORDER BY waiting.sequence
  LIMIT 1
}
RETURN at
