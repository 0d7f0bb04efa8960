// Set how much movies were watched lately (graph.recency), and put the graph's clock forward, never back.
// Parameters: movies [{movieId, figures}] by movie (figures: properties, null for none), newestAt (as text, or null)
// Returns: nothing
MERGE (applied:Sequence {name: 'applied'})
WITH applied, localdatetime($newestAt) AS newestAt
SET applied.newestAt = CASE WHEN newestAt > applied.newestAt OR applied.newestAt IS NULL THEN newestAt ELSE applied.newestAt END
WITH applied
UNWIND $movies AS row
MATCH (movie:Movie {movieId: row.movieId})
SET movie += row.figures
