"""Keys and signatures: tokens, the ring of usable keys, merged signing."""
