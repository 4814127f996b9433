"""The lab: JupyterLab's pages, as they are served behind the door."""
