"""The recipe of a run: its parts, where its settings come from, and the recipes that ship."""
