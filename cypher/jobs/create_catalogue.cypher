// Make the node that tells what is loaded. Parameters: name
MERGE (:Catalogue {name: $name})
