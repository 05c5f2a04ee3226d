"""The synthetic shop: people, behaviour, deliveries, dirt and the truth beside it.

`shop` is the way in, `arguments` what can be said. `days` puts the work in order: `people` (of
`personas`, with names from `pools`) order (`behaviour`, `seasons`), fill carts (`carts`) and change
(`profiles`); what is written down (`ledger`) arrives (`deliveries`) and is spoilt (`dirt`, by the
`defects` there are); `landing` makes files, `repeats` sends some twice, `truth` tells what they
should have said. Every draw comes from `chance`: same arguments, same bytes.
"""
