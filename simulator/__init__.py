"""A made-up digital-health company of any size: its source systems and the truth about them."""

from simulator.run import append_day, simulate

__all__ = ["append_day", "simulate"]
