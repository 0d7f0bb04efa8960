// Give a movie that the fit has not seen neighbours from what its viewers liked: SIMILAR edges both ways, 'incremental'.
// Each weight is that of a regression on one movie, shrunk. Out of the new movie: the share of its viewers who liked the
// other one, less the share of all users who know that. Into it: the share of those who know the other one who are among
// the viewers, less the viewers' share of all users. How many know a movie is told by counts alone, of its ratings, its
// viewings or its likes, whichever are most: live viewers need not have rated, and those who have are not counted twice.
// Work is bounded: some viewers, some movies of each.
// Parameters: movieId, fewestViewers, mostViewers, mostLiked (of a viewer), neighbours (out of a movie), shrinkage
// Returns: linked (neighbours); no row if the fit knows the movie, or few have watched it
MATCH (catalogue:Catalogue)
WHERE catalogue.model IS NOT NULL
WITH catalogue.model AS version
CALL () { MATCH (user:User) RETURN count(*) AS users }
MATCH (movie:Movie {movieId: $movieId})
WHERE NOT EXISTS { (movie)-[:SIMILAR {version: version}]-() }
CALL (movie) {
  MATCH (viewer:User)-[interaction:WATCHED|RATED|LIKED]->(movie)
  WHERE coalesce(interaction.value, 1) = 1 AND coalesce(interaction.rating, 5) >= 3
    AND (type(interaction) <> 'WATCHED' OR interaction.finishedAt IS NOT NULL)
  WITH DISTINCT viewer
  LIMIT $mostViewers
  RETURN collect(viewer) AS viewers
}
WITH movie, users, viewers
WHERE size(viewers) >= $fewestViewers
CALL (movie, users, viewers) {
  UNWIND viewers AS viewer
  CALL (movie, viewer) {
    MATCH (viewer)-[interaction:WATCHED|RATED|LIKED]->(other:Movie)
    WHERE other <> movie
      AND coalesce(interaction.value, 1) = 1 AND coalesce(interaction.rating, 5) >= 3
      AND (type(interaction) <> 'WATCHED' OR interaction.finishedAt IS NOT NULL)
    WITH DISTINCT other
    LIMIT $mostLiked
    RETURN other
  }
  WITH other, count(*) AS both
  WHERE both > 1
  WITH other, both,
       [coalesce(other.ratingCount, 0), COUNT { (other)<-[:WATCHED]-() }, COUNT { (other)<-[:LIKED]-() }] AS counts
  WITH other, both, reduce(most = 0, count IN counts | CASE WHEN count > most THEN count ELSE most END) AS known
  WITH other, 1.0 * both / (size(viewers) + $shrinkage) - 1.0 * known / users AS weight,
       1.0 * both / (known + $shrinkage) - 1.0 * size(viewers) / users AS backWeight
  WHERE weight > 0
  WITH other, weight, backWeight
  ORDER BY weight DESC, other.movieId
  LIMIT $neighbours
  RETURN collect({movie: other, weight: weight, backWeight: backWeight}) AS found
}
CALL (movie) {
  MATCH (movie)-[old:SIMILAR {version: 'incremental'}]->()
  DELETE old
}
CALL (movie, found) {
  UNWIND range(1, size(found)) AS rank
  WITH rank, found[rank - 1].movie AS other, found[rank - 1].weight AS weight,
       found[rank - 1].backWeight AS backWeight
  CREATE (movie)-[:SIMILAR {weight: weight, rank: rank, version: 'incremental'}]->(other)
  WITH rank, other, backWeight
  WHERE COUNT { (other)-[:SIMILAR {version: 'incremental'}]->() } < $neighbours
     OR EXISTS { (other)-[:SIMILAR {version: 'incremental'}]->(movie) }
  MERGE (other)-[back:SIMILAR {version: 'incremental'}]->(movie)
  SET back.weight = backWeight, back.rank = rank
}
RETURN size(found) AS linked
