"""The seam between the pure functions and the machines that they run on.

A function that needs all rows of a key, and no others, gives the same whether it gets the rows of
all keys or those of some. So it can be called once, or per bucket of keys on many machines.
"""
