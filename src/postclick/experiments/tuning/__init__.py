"""`tune`: search the settings of a method on the validation split."""
