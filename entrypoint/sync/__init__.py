"""The notebooks' folder in step with laptops: Syncthing, its start and its configuration."""
