"""Measures Workhorse beside a plain JupyterLab, both in one run on one machine."""
