"""From videos and action names to text bags: the pipeline, its sources and their answers, the run folder."""
