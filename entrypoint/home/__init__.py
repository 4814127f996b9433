"""The person's home: what stands ready there, and what is found in it."""
