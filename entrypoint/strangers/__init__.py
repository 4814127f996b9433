"""Whoever has not logged in: what they may cost, and how often they may guess."""
