"""What both of Jupyter's servers stand on: who comes in, whole files, and work beside the event loop."""
