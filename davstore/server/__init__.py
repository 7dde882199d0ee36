"""The processes: a supervisor, its workers, and the strict HTTP connection that each of them speaks over cheroot."""
