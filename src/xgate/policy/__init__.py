"""May it pass, and where to? Pure decisions over what is known."""
