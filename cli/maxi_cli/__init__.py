"""The `maxi` command: one module per command, each of which parses, calls the core and shows; no logic."""
