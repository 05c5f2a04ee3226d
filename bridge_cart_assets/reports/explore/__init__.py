"""What is bought, how it is paid, and who buys it: categories, payments, ages, discounts."""
