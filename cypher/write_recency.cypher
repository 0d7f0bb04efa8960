// Keep true how much movies were watched lately (graph.recency), and put the graph's clock forward, never back.
// Parameters: grown [[movieId, viewers, logarithms]] by movie (what comes to each sum, in the order of the half-lives),
//   counted [{movieId, figures}] by movie (what takes their place; null for none), newestAt (as text, or null),
//   halfLives (days), halfLife (that of the lists where there is no version in use)
// Returns: nothing
MERGE (applied:Sequence {name: 'applied'})
WITH applied, localdatetime($newestAt) AS newestAt
SET applied.newestAt = CASE WHEN newestAt > applied.newestAt OR applied.newestAt IS NULL THEN newestAt ELSE applied.newestAt END
WITH applied
OPTIONAL MATCH (catalogue:Catalogue)
OPTIONAL MATCH (model:Model {version: catalogue.model})
WITH coalesce(model.halfLife, $halfLife) AS halfLife
CALL (halfLife) {
  UNWIND $grown AS row
  MATCH (movie:Movie {movieId: row[0]})
  WITH movie, row[1] AS viewers, row[2] AS added,
       [movie.recent1, movie.recent3, movie.recent10, movie.recent30, movie.recent100] AS known
  WITH movie, viewers, [place IN range(0, size(added) - 1) |
         CASE
           WHEN known[place] IS NULL THEN added[place]
           WHEN known[place] > added[place] THEN known[place] + log(1 + 2 ^ (added[place] - known[place])) / log(2)
           ELSE added[place] + log(1 + 2 ^ (known[place] - added[place])) / log(2)
         END] AS recent, [place IN range(0, size($halfLives) - 1) WHERE $halfLives[place] = halfLife][0] AS served
  SET movie += { // all at once: a property at a time takes a quarter longer
    viewers: coalesce(movie.viewers, 0) + viewers,
    recent1: recent[0], recent3: recent[1], recent10: recent[2], recent30: recent[3], recent100: recent[4],
    recent: recent[served]
  }
}
UNWIND $counted AS row
MATCH (movie:Movie {movieId: row.movieId})
SET movie += row.figures
SET movie.recent = movie['recent' + halfLife]
