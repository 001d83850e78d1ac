"""Benchmarks: CPU seconds and peak memory of whole processes, as ratios where machines differ. `make bench`."""
