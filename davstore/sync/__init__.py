"""The difference of two instants of a collection, as rows in order, and the tokens that continue after any of them.

A row of stages, from top to bottom of `report.rows`: members that changed by themselves, members that a moved
collection carried along, and URLs that are gone, each in the order of its keys, so that a page may end at any row.
"""
