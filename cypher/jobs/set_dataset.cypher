// Remember which staged ratings the graph is made from. Parameters: dataset
MATCH (catalogue:Catalogue)
SET catalogue.dataset = $dataset
