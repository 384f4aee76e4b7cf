"""Training: losses, schedule, the loop as a generator of steps, and checkpoints that are whole or not there."""
