// 3 One user's story
// What one user rated, watched, liked, listed and clicked last (25 of all), and the list that is recommended now.
// Set first: :param userId => 1
// Parameters: userId. Returns: a graph
MATCH (user:User {userId: $userId})
CALL (user) {
  MATCH path = (user)-[interaction:RATED|WATCHED|LIKED|LISTED|CLICKED]->(:Movie)
  RETURN path
  ORDER BY coalesce(interaction.at, interaction.finishedAt, interaction.lastSeenAt) DESC
  LIMIT 25
  UNION ALL
  MATCH (user)-[newest:RECOMMENDED]->()
  WITH user, newest.batchId AS batchId
  ORDER BY newest.at DESC
  LIMIT 1
  MATCH path = (user)-[:RECOMMENDED {batchId: batchId}]->(:Movie)
  RETURN path
}
RETURN path
