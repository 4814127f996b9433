"""Everything of Workhorse that runs inside the container."""
