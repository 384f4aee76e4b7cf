"""Options: how they are declared, and the sections of a recipe that are the core's own."""
