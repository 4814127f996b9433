"""The archive of a backup: its format, written while others write, and read whoever made it."""
