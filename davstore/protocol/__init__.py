"""The pure wire: bytes and header text in, values out, and back. No I/O, no clock, no framework."""
