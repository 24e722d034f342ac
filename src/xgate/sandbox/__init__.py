"""A whole country on loopback: certificate authority, configuration source, servers, services."""
