"""One linear history of the tables, for both databases."""
