"""Readers: each finds the slices of a table at its source and yields them as Arrow record batches."""
