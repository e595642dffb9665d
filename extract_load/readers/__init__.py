"""Readers: each finds a table's slices at its source and yields them as Arrow record batches."""
