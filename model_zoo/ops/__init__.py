"""Pure functions on arrays and times that several domains share."""
