"""Certificates that everybody trusts, obtained and renewed while the door serves."""
