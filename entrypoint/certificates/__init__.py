"""Certificates: the private authority and what it signs, one's own, and which serves which name."""
