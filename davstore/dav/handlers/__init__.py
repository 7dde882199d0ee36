"""One function for each method: it parses a request, makes one store call, and returns a response."""
