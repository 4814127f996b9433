"""What both sides ask of the system: users, rights, limits, and whom they trust."""
