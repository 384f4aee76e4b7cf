"""The story of the sandbox in public commands, and the table that it ends with."""
