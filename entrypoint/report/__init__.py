"""What is told of an installation: at the start, by `workhorse status` and by `workhorse audit`."""
