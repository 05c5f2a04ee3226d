"""What the shop sells and how one can pay: names, prices and who likes what.

Belongs here: facts about the shop, as data. Does not belong here: anything that draws.
"""

CATEGORIES = ("Books", "Groceries", "Clothing", "Electronics", "Home", "Beauty", "Sports", "Toys")
# Mean price of a piece, in the shop's currency, and how far prices lie apart (sigma of their
# logarithm): a cable and a laptop are both electronics.
PRICES = (17.0, 24.0, 38.0, 110.0, 55.0, 24.0, 44.0, 27.0)
SPREADS = (0.45, 0.50, 0.55, 1.00, 0.85, 0.50, 0.70, 0.55)
# How often a category is the favourite of a woman, a man and anybody else.
FAVOURITES = (
    (14, 16, 22, 9, 16, 14, 6, 3),
    (13, 16, 15, 21, 13, 4, 14, 4),
    (14, 16, 18, 15, 15, 9, 9, 4),
)

PAYMENT_METHODS = (
    "credit_card",
    "debit_card",
    "upi",
    "net_banking",
    "paypal",
    "cash_on_delivery",
    "bank_transfer",
    "gift_card",
)
