"""The synthetic shop: people, behaviour, dirt and the truth beside it.

`shop` is the way in. It draws `people` and their `profiles`, lets them buy (`behaviour`, `carts`),
spoils a share of the records (`dirt`) and has `landing` write the files and `truth` what they
should have said. Every draw comes from `chance`: same arguments, same bytes.
"""
