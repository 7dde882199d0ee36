"""The difference of two instants of a collection, as rows in order, and the tokens that continue after any of them.

A row of stages, from top to bottom of `report.rows`: what changed by itself, what a moved collection carried along and
what is gone, each in the order of its keys, so that a page may end at any row.
"""
