"""Files of other programs: their checkpoints, read without running anything in them (docs/importing.md)."""
