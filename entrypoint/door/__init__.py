"""The door: its start, its server and its pages."""
