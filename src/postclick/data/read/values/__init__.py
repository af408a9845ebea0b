"""Single values of any type in one form, and what is odd about them."""
