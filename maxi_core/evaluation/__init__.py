"""Zero-shot evaluation: benchmarks, protocol, metrics, scores, and comparisons with what was published (method.md)."""
