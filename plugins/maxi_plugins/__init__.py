"""The sources and temporal modules that come with maxi, one file each."""
