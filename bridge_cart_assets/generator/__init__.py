"""The synthetic shop: people, behaviour, deliveries, dirt and the truth beside it.

`shop` is the way in, `arguments` what can be said. `days` puts the work in order: `people` (of
`personas`, with names from `name_pools`) order (`behaviour`, `seasons`), fill carts (`carts`) and
change (`profiles`); what is written down (`transactions`) arrives (`deliveries`) and is spoilt
(`defect_injection`, by the `defects` there are); `landing` makes files, `duplicate_files` sends
some twice, `ground_truth` tells what they should have said. Every draw comes from `rng`: same
arguments, same bytes.
"""
