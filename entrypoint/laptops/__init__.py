"""The laptops that the notebooks' folder is kept in step with: who they are, and how far they are."""
