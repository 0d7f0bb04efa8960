"""The bulk load: ratings folders in, a fitted database out. A rating passes, in this order:

1. `files/` finds and opens the files of a folder or archive (`input_files`, `archives`), and recognises those that were
   read before (`fingerprints`).
2. `formats/` recognises by its name what a file is (`recognition`) and reads its lines (`lines`; `kernels`, or else
   `netflix` and `movielens`), every one of them accounted for (`accounts`).
3. `staging/` has all files read (`reader`), parts the ratings by user on disk (`spill`), sorts each part into a Parquet
   shard (`stage`), reports where all lines went (`report`), and joins two data sets (`merging`).
4. `engine` fits.
5. `database/` writes the importer's tables (`tables`), imports them (`importer`), and puts the new database in the
   place of the one that serves (`next_database`).

`bulk` takes these steps; `add` takes the first three, then writes small transactions. Both are one of the `runs`, of
which there is one at a time. `export` reads the graph back, `synthesis/` invents ratings.
"""
