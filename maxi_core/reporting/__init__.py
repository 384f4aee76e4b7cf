"""`maxi report`: what a run folder holds, as one HTML file that needs nothing else."""
