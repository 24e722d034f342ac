"""The member's server: client proxy and server proxy."""
