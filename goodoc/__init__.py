"""The operator's command: loads, builds and publishes the warehouse."""
