"""What is made with this repository and does not belong in the wheel."""
