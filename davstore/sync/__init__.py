"""The difference of two instants of a collection, as rows in order, and the tokens that continue after any of them."""
