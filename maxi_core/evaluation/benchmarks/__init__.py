"""Benchmarks as data: official files and the lists that people exchange, read and checked."""
