"""Zero-shot evaluation: benchmarks, protocol, metrics, scores, and comparisons with what was published (SPEC 8, 10)."""
