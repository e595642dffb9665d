"""Advertising media: what they know of a company's ads, and how they tell it."""
