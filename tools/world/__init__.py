"""What makes the models of the sandbox, and what it is measured by; see docs/sandbox.md."""
