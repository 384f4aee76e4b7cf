"""What a plugin is: hooks, roles, discovery, and calls into code that is not ours."""
