// Put a version to use, all at once: readers take the version from the catalogue's one property. Movies are listed by its
// half-life from now on. Parameters: version (of a model that is there)
MATCH (catalogue:Catalogue)
MATCH (model:Model {version: $version})
SET catalogue.model = $version
REMOVE model.withdrawn
WITH 'recent' + model.halfLife AS recent
MATCH (movie:Movie)
SET movie.recent = movie[recent]
