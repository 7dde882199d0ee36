"""Where rules are read from: the provider's file."""
