"""Benchmarks (`make bench`): CPU seconds and peak memory of whole processes, ratios where machines differ."""
