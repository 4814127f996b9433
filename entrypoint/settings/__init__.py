"""What a person sets in `.env`: read, judged, and kept for the commands."""
