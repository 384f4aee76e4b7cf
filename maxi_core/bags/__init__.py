"""From videos and action names to text bags: the flow (`pipeline`), what it keeps (`shelf`, `run`), what it says."""
