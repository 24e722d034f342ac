"""What this server says: its clients, their services, and who may call them."""
