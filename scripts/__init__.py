"""What developers and `make` run: the whole system on one machine, the benchmarks."""
