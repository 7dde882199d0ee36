"""One module for each report (RFC 3253 §3.6)."""
