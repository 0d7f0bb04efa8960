"""From files to checked, sorted, deduplicated Parquet (`engine.dataset`)."""
