"""From text bags and videos to the micro-batches that a model is trained on, the same on any number of processes."""
