"""Reads web APIs, declared in the grammar of dlt's rest_api."""
