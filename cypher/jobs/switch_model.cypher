// Put a version to use, all at once: readers take the version from the catalogue's one property. Movies are listed by its
// half-life from now on. Parameters: version, model (all its properties)
MATCH (catalogue:Catalogue)
MERGE (model:Model {version: $version})
SET model = $model, catalogue.model = $version
WITH 'recent' + model.halfLife AS recent
MATCH (movie:Movie)
SET movie.recent = movie[recent]
