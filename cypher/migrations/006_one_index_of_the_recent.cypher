// One index, of the figure that the lists go by, in the place of one for each half-life: each batch writes to all of them.
DROP INDEX movie_recent1 IF EXISTS
DROP INDEX movie_recent3 IF EXISTS
DROP INDEX movie_recent10 IF EXISTS
DROP INDEX movie_recent30 IF EXISTS
DROP INDEX movie_recent100 IF EXISTS
MERGE (applied:Sequence {name: 'applied'})
  SET applied.locked = true // writers wait
  REMOVE applied.locked
  WITH applied
  MATCH (catalogue:Catalogue)
  OPTIONAL MATCH (model:Model {version: catalogue.model})
  MATCH (movie:Movie)
  SET movie.recent = movie['recent' + coalesce(model.halfLife, 10)]
