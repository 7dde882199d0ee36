"""Work that no request waits for, done by one process beside those that serve (docs/architecture.md)."""
