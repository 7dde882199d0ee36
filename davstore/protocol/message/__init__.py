"""Messages as bytes: which of the objects of a message store a body is, its facts, and where its parts lie. Pure."""
