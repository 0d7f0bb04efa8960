// Put a version of predicted stars to use, all at once.
// Parameters: model (properties of the StarsModel), movies [[movieId, bias, popularity, spread]]
MERGE (model:StarsModel)
SET model = $model
WITH model
UNWIND $movies AS row
MATCH (movie:Movie {movieId: row[0]})
SET movie.bias = row[1], movie.popularity = row[2], movie.spread = row[3]
