"""What a person asks by `workhorse`."""
