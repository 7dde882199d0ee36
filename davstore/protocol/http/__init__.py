"""HTTP: request and response fields, their values in and out (RFC 9110, 9530, 7240)."""
