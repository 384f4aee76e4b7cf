"""Heatmaps: which patches of the frames of a video a model looks at for a text (supplement 3.1, docs/heatmaps.md)."""
