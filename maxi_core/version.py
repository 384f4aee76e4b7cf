"""The version of maxi, at one place."""

__version__ = "0.1.0"
