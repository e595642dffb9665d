"""A made-up digital-health company of any size: its source systems and the truth about them."""

from simulator.media.server import serve
from simulator.run import append_day, simulate, variables

__all__ = ["append_day", "serve", "simulate", "variables"]
