"""Frozen values that all layers share. No I/O, no clock, no wire."""
