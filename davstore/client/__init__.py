"""The device: a local folder kept in step with a collection of any RFC 6578 server."""
