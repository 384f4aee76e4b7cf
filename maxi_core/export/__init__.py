"""Trained models written as the files that other programs load."""
