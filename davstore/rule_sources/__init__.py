"""Sources of the provider's rules: a file, a URL."""
