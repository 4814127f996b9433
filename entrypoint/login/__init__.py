"""Who may come in, by what, and for how long; and the way out."""
