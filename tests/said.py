"""What a command said on stderr, for tests."""


def errors(said: str) -> int:
    """Count the lines of errors; whatever else is said, such as what is loaded, is no traceback."""
    assert "Traceback" not in said
    return sum(line.startswith("maxi: error:") for line in said.splitlines())
