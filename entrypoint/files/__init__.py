"""Files: where each lies, and how it is read and written whatever others put in its place."""
