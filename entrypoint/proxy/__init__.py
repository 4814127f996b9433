"""The way to the lab and back, for requests, answers and websockets."""
