"""Benchmarks: `python -m tests.benchmarks [names...] [--quick] [--json FILE]`."""
