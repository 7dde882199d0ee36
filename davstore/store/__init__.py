"""Use cases. A request makes one call here, and the call decides everything inside one unit of work."""
