"""Speed and memory of extract-load, beside the least that the work takes, and peers."""
