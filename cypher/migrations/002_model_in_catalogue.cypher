// One statement a line. The model in use was marked itself; open viewings are found by their source since.
MATCH (catalogue:Catalogue) WHERE catalogue.model IS NULL MATCH (model:Model {current: true}) SET catalogue.model = model.version REMOVE model.current
DROP INDEX watched_open IF EXISTS
