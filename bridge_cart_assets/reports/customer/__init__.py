"""One customer: what they have done, what is expected of them, their segments and orders."""
