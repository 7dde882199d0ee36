"""All SQL: tables, units of work and the statements of each subject.

Functions here take a unit, run a fixed number of prebuilt statements and return values of `model`. They decide nothing:
`engine` and `store` do.
"""
